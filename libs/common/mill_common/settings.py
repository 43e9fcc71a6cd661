"""Settings, from `MILL_…` environment variables or files of that name in a secrets folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mill_common.outgoing.addresses import parse_networks

RATE = r"^(off|[1-9][0-9]{0,8}/([1-9][0-9]{0,8} )?(second|minute|hour|day)s?)$"


class Settings(BaseSettings):
    """Everything that can be set. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(
        env_prefix="MILL_",
        secrets_dir=os.environ.get("MILL_SECRETS_DIR") or None,
        frozen=True,
        extra="ignore",
        env_ignore_empty=True,
    )

    # Where things are. The three URLs default to one machine's, below `data_dir`.
    data_dir: Path = Path("mill-data")
    database_url: str = ""
    broker_url: str = "memory://"
    storage_url: str = ""
    scratch_dir: Path | None = None
    public_url: str = ""  # how clients reach the API; relative links if empty

    # The queue
    lease_s: float = Field(default=120.0, gt=0)
    heartbeat_s: float = Field(default=10.0, gt=0, le=30)
    poll_s: float = Field(default=5.0, gt=0)
    max_attempts: int = Field(default=5, ge=1, le=100)
    max_crashes: int = Field(default=3, ge=1, le=100)
    max_outages: int = Field(default=100, ge=0, le=10_000)  # retries of a task for storage that is down, not counted
    retry_base_s: float = Field(default=10.0, gt=0)
    retry_cap_s: float = Field(default=600.0, gt=0)
    task_deadline_s: float = Field(default=6 * 3600.0, gt=0)
    resend_after_s: float = Field(default=30.0, gt=0)
    sweep_s: float = Field(default=5.0, gt=0)
    transcoder_threads: int = Field(default=1, ge=1, le=64)
    transcriber_threads: int = Field(default=1, ge=1, le=64)
    stop_grace_s: float = Field(default=20.0, ge=0)  # how long a worker that is to stop waits for short tasks
    pause_after_failures: int = Field(default=5, ge=1)  # of different tasks, in a row: then a worker pauses
    pause_s: float = Field(default=15.0, gt=0)  # the first pause; each further one is twice as long
    pause_cap_s: float = Field(default=300.0, gt=0)
    scratch_free_bytes: int = Field(default=2 * 2**30, ge=0)  # with less free, a worker claims nothing

    # What sources may be
    max_source_bytes: int = Field(default=50 * 2**30, gt=0)
    max_source_pixels: int = Field(default=8192 * 4320, gt=0)
    max_source_streams: int = Field(default=64, gt=0)
    max_source_duration_s: float = Field(default=12 * 3600.0, gt=0)
    storage_quota: int | None = Field(default=None, ge=0)  # of one owner's uploads and outputs; unlimited if unset
    jobs_quota: int | None = Field(default=None, ge=0)  # of one owner's jobs that have not ended; unlimited if unset
    upload_expires_s: int = Field(default=24 * 3600, gt=0)
    source_networks: str = ""  # CIDR networks, comma-separated, that source URLs may reach besides public ones

    # Video
    ladder: str = "360,720"  # short sides in pixels
    ffmpeg: Path | None = None  # the wheel's own if unset
    ffprobe: Path | None = None
    packager: Path | None = None
    encode_preset: str = "veryfast"
    encode_crf: int = Field(default=22, ge=0, le=51)
    chunk_s: float = Field(default=120.0, gt=2)  # a source longer than 1.5 chunks is encoded in chunks
    stall_s: float = Field(default=120.0, gt=0)  # a child without progress for so long is stopped
    child_memory: int = Field(default=8 * 2**30, gt=0)  # address space of a child
    child_file_size: int = Field(default=100 * 2**30, gt=0)

    # Speech
    whisper_model: str = "small"  # any faster-whisper name or a folder
    whisper_device: str = "auto"
    whisper_compute_type: str = "default"
    whisper_threads: int = Field(default=0, ge=0)  # 0: as many as there are cores
    whisper_batch: int = Field(default=8, ge=1, le=64)
    whisper_beam: int = Field(default=5, ge=1, le=16)
    whisper_idle_s: float = Field(default=300.0, gt=0)

    # API
    admin_key: SecretStr | None = None
    admin_user: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")  # made with the password below
    admin_password: SecretStr | None = Field(default=None, min_length=12, max_length=1024)
    access_token_s: int = Field(default=900, gt=0, le=86400)  # how long a person's access token does
    refresh_token_s: int = Field(default=14 * 86400, gt=0)  # unused for so long, a person's session ends
    admin_stats_s: float = Field(default=15.0, gt=0)  # how long administrators' figures are given again
    signing_key: SecretStr | None = None  # made once and kept in `data_dir` if unset
    link_expires_s: int = Field(default=3600, gt=0)
    player_origins: str = "*"  # pages that may play, comma-separated; named ones may send the stream's cookie
    download_redirects: bool = False  # whether downloads lead to storage unless a request says otherwise
    usage_flush_s: float = Field(default=5.0, gt=0)  # how often a gateway writes down what it counted
    usage_keep_days: int = Field(default=400, ge=1, le=3660)  # how long that is kept
    ticket_expires_s: int = Field(default=300, gt=0)  # of a browser's leave to watch, in place of a key

    # How often one may ask: "600/minute", "10/30 seconds" or "off"; of a key, or of an address where that is said
    rate_limits: bool = True
    rate_read: str = Field(default="6000/minute", pattern=RATE)
    rate_write: str = Field(default="1200/minute", pattern=RATE)
    rate_upload: str = Field(default="600/minute", pattern=RATE)
    rate_admin: str = Field(default="600/minute", pattern=RATE)
    rate_admin_cleanup: str = Field(default="10/hour", pattern=RATE)
    rate_admin_stats: str = Field(default="100/hour", pattern=RATE)
    rate_admin_jobs: str = Field(default="500/hour", pattern=RATE)
    rate_login: str = Field(default="10/15 minutes", pattern=RATE)  # attempts to sign in as one user
    rate_login_address: str = Field(default="60/15 minutes", pattern=RATE)  # attempts to sign in from one address
    rate_signed: str = Field(default="6000/minute", pattern=RATE)  # an address with signed links and streams
    rate_stranger: str = Field(default="120/minute", pattern=RATE)  # an address without a valid key

    # Webhooks
    webhook_networks: str = ""  # CIDR networks, comma-separated, that webhooks may reach besides public ones
    webhook_threads: int = Field(default=32, ge=4, le=256)  # requests of one watchdog at a time
    webhook_timeout_s: float = Field(default=15.0, gt=0, le=60)  # for a receiver to answer
    webhook_poll_s: float = Field(default=1.0, gt=0)
    webhook_lease_s: float = Field(default=60.0, gt=0)  # unheard of for so long, a watchdog's deliveries are sent again
    webhook_keep_days: int = Field(default=30, ge=1, le=365)  # how long what was sent can be looked up

    # What is done on a schedule
    schedule_timezone: str = "UTC"  # whose wall clock schedules follow, such as Europe/Berlin
    stuck_after_minutes: int = Field(default=120, ge=30, le=1440)
    keep_days: int = Field(default=30, ge=1, le=365)  # how long ended jobs are kept
    orphan_grace_s: int = Field(default=24 * 3600, ge=60)  # how old an object is before a sweep may remove it

    # Alerts
    alert_every_s: float = Field(default=15.0, gt=0)  # how often the rules are evaluated
    alert_window_s: float = Field(default=900.0, gt=0)  # how far back rules about failures and durations look
    alert_error_rate: float = Field(default=0.1, gt=0, le=1)
    alert_error_rate_least: int = Field(default=10, ge=1)  # attempts in the window: fewer make no rate
    alert_api_error_rate: float = Field(default=0.25, gt=0, le=1)  # answered with 400 and above
    alert_api_error_rate_least: int = Field(default=100, ge=1)  # requests in the window: fewer make no rate
    alert_webhook_failing_s: float = Field(default=3600.0, ge=0)  # an endpoint that fails for so long
    alert_slow_s: float = Field(default=300.0, gt=0)  # a stage that takes longer on average
    alert_stuck_s: float = Field(default=1800.0, gt=0)  # a task that runs for so long without progress
    alert_cpu_percent: float = Field(default=80.0, gt=0, le=100)
    alert_memory_percent: float = Field(default=80.0, gt=0, le=100)
    alert_disk_percent: float = Field(default=90.0, gt=0, le=100)
    alert_critical_percent: float = Field(default=95.0, gt=0, le=100)  # of any of the three
    alert_host_for_s: float = Field(default=300.0, ge=0)  # processor and memory may be busy for so long
    alert_queue_depth: int = Field(default=1000, ge=1)
    alert_queue_age_s: float = Field(default=600.0, gt=0)  # since the oldest task of a queue was due
    alert_dead_letters: int = Field(default=20, ge=1)
    alert_no_worker_s: float = Field(default=120.0, ge=0)  # tasks wait for so long and nobody takes them
    alert_schedule_late_s: float = Field(default=600.0, gt=0)
    alert_log_bytes: int = Field(default=200 * 2**20, gt=0)  # of one log file in `log_dir`
    alert_rules: str = ""  # modules of your own rules, comma-separated
    alert_keep: int = Field(default=500, ge=0)  # resolved alerts
    alert_routes: SecretStr | None = None  # JSON: see docs/operations.md
    alert_group_by: str = "type"  # labels, comma-separated: alerts that share them come in one notice
    alert_group_wait_s: float = Field(default=30.0, ge=0)  # before a group's first notice
    alert_group_interval_s: float = Field(default=300.0, ge=0)  # between two notices of a group that changed
    alert_repeat_s: float = Field(default=4 * 3600.0, gt=0)  # between two notices of a group that did not
    alert_retry_s: float = Field(default=10.0, gt=0)  # after a notice that was not taken; then twice as long, and so on
    alert_attempts: int = Field(default=12, ge=1)  # at sending one notice
    alert_heartbeat_url: SecretStr | None = None  # asked regularly while alerts are evaluated
    alert_heartbeat_s: float = Field(default=60.0, gt=0)

    # Seeing what happens
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")
    log_format: str = Field(default="json", pattern="^(json|console)$")
    log_dir: Path | None = None  # where logs go as files as well
    log_rotation_bytes: int | None = Field(default=None, ge=1024)  # of each of them, in place of its own limit
    log_backup_count: int | None = Field(default=None, ge=0, le=1000)  # of each of them, likewise
    slow_request_s: float = Field(default=1.0, gt=0)  # from then on a request is told of in the performance log
    slow_step_s: float = Field(default=300.0, gt=0)  # so is an attempt at a task
    signals_port: int = Field(default=0, ge=0, le=65535)  # health and metrics of this process, to everybody; 0: nowhere
    signals_host: str = "127.0.0.1"
    health_cache_s: float = Field(default=60.0, ge=0)  # how old a checkup may be
    health_limit_s: float = Field(default=10.0, gt=0)  # how long one check may take
    health_warning_percent: float = Field(default=80.0, gt=0, le=100)  # of CPU, memory, disk and connections
    health_critical_percent: float = Field(default=95.0, gt=0, le=100)
    health_error_rate: float = Field(default=0.1, gt=0, le=1)  # of the last hour's attempts
    health_waiting_s: float = Field(default=900.0, gt=0)  # longer than that no task should wait
    health_stuck_s: float = Field(default=1800.0, gt=0)  # a task without progress for so long is stuck
    sample_s: float = Field(default=30.0, ge=1)  # how often CPU, memory and disk are noted
    samples_keep_hours: int = Field(default=24, ge=1, le=24 * 31)
    sentry_dsn: SecretStr | None = None
    sentry_sample_rate: float = Field(default=1.0, ge=0, le=1)  # of errors
    sentry_traces_sample_rate: float = Field(default=0.0, ge=0, le=1)
    environment: str = "production"

    @field_validator("source_networks", "webhook_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        parse_networks(text)  # at the start of the process, not at the first request
        return text

    @model_validator(mode="after")
    def _on_one_machine(self) -> Self:
        data = self.data_dir.absolute()
        object.__setattr__(self, "data_dir", data)
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{data}/mill.db")
        if not self.storage_url:
            object.__setattr__(self, "storage_url", f"file://{data}/objects")
        if self.scratch_dir is None:
            object.__setattr__(self, "scratch_dir", data / "scratch")
        return self

    @property
    def rungs(self) -> tuple[int, ...]:
        """Short sides of the default ladder in pixels, ascending."""
        return tuple(sorted({int(rung) for rung in self.ladder.split(",")}))

    @property
    def scratch(self) -> Path:
        """Where attempts keep their files while they run."""
        assert self.scratch_dir is not None
        return self.scratch_dir
