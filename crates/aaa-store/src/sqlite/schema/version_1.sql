-- What version 1 made, as it was released. Never changed.
CREATE TABLE deliveries (
    id         INTEGER PRIMARY KEY,
    app        TEXT    NOT NULL,
    slot       TEXT    NOT NULL CHECK (slot IN ('active', 'previous')),
    signature  TEXT    NOT NULL,
    arrived_at INTEGER NOT NULL,
    body       BLOB    NOT NULL
) STRICT;

CREATE TABLE events (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery       INTEGER NOT NULL REFERENCES deliveries (id),
    kind           TEXT    NOT NULL,
    for_user_id    TEXT,
    item           TEXT    NOT NULL,
    key            TEXT    AS (ifnull(for_user_id, '') || '/' || kind || ':' || item) VIRTUAL,
    occurred_at    INTEGER,
    payload_start  INTEGER NOT NULL,
    payload_length INTEGER NOT NULL,
    stale          INTEGER NOT NULL CHECK (stale IN (0, 1))
) STRICT;
CREATE INDEX events_by_delivery ON events (delivery);
CREATE INDEX events_by_kind ON events (kind);
CREATE INDEX events_by_user ON events (for_user_id) WHERE for_user_id IS NOT NULL;

CREATE TABLE event_keys (
    key BLOB    PRIMARY KEY CHECK (length(key) = 16),
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE coverage (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    run               INTEGER NOT NULL,
    first_wall        INTEGER NOT NULL,
    first_uptime      INTEGER NOT NULL,
    first_offset      INTEGER NOT NULL,
    first_offset_read INTEGER NOT NULL,
    first_refusals    INTEGER NOT NULL,
    last_wall         INTEGER NOT NULL,
    last_uptime       INTEGER NOT NULL,
    last_offset       INTEGER NOT NULL,
    last_offset_read  INTEGER NOT NULL,
    last_refusals     INTEGER NOT NULL
) STRICT;

CREATE TABLE attempts (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook      TEXT    NOT NULL,
    core_from    TEXT    NOT NULL,
    core_to      TEXT    NOT NULL,
    request_from TEXT    NOT NULL,
    request_to   TEXT    NOT NULL,
    intended_at  INTEGER NOT NULL,
    settled_at   INTEGER NOT NULL,
    outcome      TEXT    NOT NULL
) STRICT;
PRAGMA user_version = 1;
PRAGMA application_id = 0x41414131;
