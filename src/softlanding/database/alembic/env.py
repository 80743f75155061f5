"""What Alembic runs: on the connection that it is given, nothing from files or the environment."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes.get("target_metadata"),
    render_as_batch=True,
    transaction_per_migration=True,
    render_item=attributes.get("render_item"),
    include_object=attributes.get("include_object"),
)
with context.begin_transaction():
    context.run_migrations()
