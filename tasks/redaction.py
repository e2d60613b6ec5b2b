"""Taking secrets out of text before it is kept or logged."""

import re

# Tenant tokens, API keys, passwords in addresses, and `password=...` in connection strings.
_SECRETS = re.compile(
    r"pw1\.[\w./:-]+"
    r"|pw_[a-z0-9]{16}_[\w-]+"
    r"|(?<=://)[^\s/:@]*:[^\s/@]+(?=@)"
    r"|(?<=password=)\S+"
    r"|(?<=Bearer )\S+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Return the text with `[redacted]` where a token, an API key or a password stood."""
    return _SECRETS.sub("[redacted]", text)
