"""The name under which `failover check` asks for what has its home in `failover.document.files`."""

from failover.document.files import printable

__all__ = ["printable"]
