"""Cedar: the schema, the bundled policies, and the decision: facts -> Allow or Deny(reason)."""
