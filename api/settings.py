"""Where the API listens and how much it reads from a client."""

from pydantic import Field

from db.settings import PartywallSettings


class ApiSettings(PartywallSettings):
    """Settings of `python -m api`."""

    api_host: str = Field("127.0.0.1", description="The address to listen on.")
    api_port: int = Field(8000, ge=1, le=65535, description="The port to listen on.")
    api_json_limit_bytes: int = Field(1024 * 1024, ge=1024, description="The largest JSON body that is read.")
    api_idle_seconds: float = Field(30.0, gt=0, description="How long a client may pause inside a body.")
