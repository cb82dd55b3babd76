"""Look-ups: the receipts of a batch, which has one instant, find their events all at once."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the frozen statements as one script: psycopg itself takes it whole, since there are no parameters."""
    driver = op.get_bind().connection.driver_connection
    driver.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Forward only: restore a backup instead."""
    raise NotImplementedError("migrations run forward only; restore a backup instead")
