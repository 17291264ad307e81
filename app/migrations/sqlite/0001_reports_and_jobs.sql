-- What people see. A report is open (queued or running) while it has a job, else done or failed.
CREATE TABLE reports (
    id          TEXT    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    origins     TEXT    NOT NULL,
    settings    TEXT    NOT NULL,
    finished_ms INTEGER,
    attempt     INTEGER,
    outcome     TEXT,
    error       TEXT,
    CHECK ((finished_ms IS NULL AND outcome IS NULL AND error IS NULL)
        OR (finished_ms IS NOT NULL AND (outcome IS NULL) <> (error IS NULL)))
) STRICT;

CREATE INDEX reports_by_age ON reports (created_ms, id);

-- Who works on what. `attempt` is the fencing token: it grows with every claim, and whoever writes names the one it has.
CREATE TABLE jobs (
    report_id      TEXT    NOT NULL PRIMARY KEY REFERENCES reports (id) ON DELETE CASCADE,
    created_ms     INTEGER NOT NULL,
    owner          TEXT,
    lease_until_ms INTEGER NOT NULL DEFAULT 0,
    attempt        INTEGER NOT NULL DEFAULT 0,
    deaths         INTEGER NOT NULL DEFAULT 0,
    bytes_read     INTEGER NOT NULL DEFAULT 0,
    bytes_total    INTEGER NOT NULL DEFAULT 0,
    lines          INTEGER NOT NULL DEFAULT 0
) STRICT;
