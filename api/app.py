"""The HTTP application: `uvicorn --factory api.app:create_app`, or better `python -m api`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi_swagger import patch_fastapi

from api import answers, documentation, files, health, jobs, limits, steering, tasks
from api.edge import Edge
from api.gate import Gate
from api.settings import ApiSettings
from db.engine import dispose_async_engines
from db.files import FileSettings, file_store
from tasks import registry


def create_app() -> FastAPI:
    """Return the application, made from the settings as they are now.

    Raises:
        TaskDeclarationError, ImportError: the modules of `PARTYWALL_TASK_MODULES` cannot be used.
    """
    registry.load()
    app = FastAPI(
        title="Partywall",
        version="1",
        description=documentation.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan,
    )
    app.state.settings = ApiSettings.load()
    app.state.file_limit_bytes = FileSettings.load().file_limit_bytes
    app.state.files = file_store()
    app.state.gate = Gate()
    app.state.readiness = health.Readiness()
    for each in (jobs, steering, limits, tasks, files, health):
        app.include_router(each.router)
    answers.install(app)
    documentation.install(app)
    patch_fastapi(
        app,
        redirect_from_root_to_docs=False,
        # Unless told otherwise the page keeps the API key in the browser.
        swagger_ui_parameters={"persistAuthorization": False, "displayRequestDuration": True},
    )
    app.add_middleware(Edge)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gate: Gate = app.state.gate
    await gate.try_to_open()
    yield
    await dispose_async_engines()


def _operation_id(route: APIRoute) -> str:
    # The function's name, so that generated clients have `create_job`, not `create_job_v1_jobs_post`.
    return route.name
