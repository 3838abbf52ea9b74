"""The addresses of the pages of Operations and Settings."""

from __future__ import annotations

from django.urls import path

from s4project import (
    operations_damaged,
    operations_health,
    operations_jobs,
    operations_uploads,
    operations_volumes,
    settings_pages,
)

urlpatterns = [
    path("operations/jobs/", operations_jobs.jobs_page, name="operations_jobs"),
    path("operations/tasks/live/", operations_jobs.live_part, name="operations_live"),
    path("operations/tasks/ask/", operations_jobs.ask_page, name="operations_ask"),
    path("operations/tasks/<int:task_id>/", operations_jobs.task_page, name="operations_task"),
    path("operations/volumes/", operations_volumes.volumes_page, name="operations_volumes"),
    path("operations/damaged/", operations_damaged.damaged_page, name="operations_damaged"),
    path("operations/uploads/", operations_uploads.uploads_page, name="operations_uploads"),
    path("operations/health/", operations_health.health_page, name="operations_health"),
    path("settings/in-force/", settings_pages.in_force_page, name="settings_in_force"),
    path("settings/version/", settings_pages.version_page, name="settings_version"),
]
