"""The steps that bring a database to the present schema; Alembic runs them, and only when one is due."""
