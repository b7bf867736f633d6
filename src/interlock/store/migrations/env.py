"""Alembic's way in: run the steps on the connection that `database.py` hands over, in its transaction."""

from alembic import context

from interlock.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
