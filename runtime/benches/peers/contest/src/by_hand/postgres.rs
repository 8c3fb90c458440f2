//! What is the same on PostgreSQL by whichever driver.

/// With what every log needs: an order, a version that is unique in its stream, an id, and a way to find events by name.
pub const SCHEMA: &str = "
    SET client_min_messages = warning;
    CREATE TABLE IF NOT EXISTS events (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL,
        id uuid NOT NULL UNIQUE, name text NOT NULL, recorded_at timestamptz NOT NULL, payload json NOT NULL,
        UNIQUE (stream, version)
    );
    CREATE INDEX IF NOT EXISTS by_name ON events (name, position)";

pub const INSERT: &str = "INSERT INTO events (stream, version, id, name, recorded_at, payload)
    SELECT s, v, i, n, now(), p::json
    FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::text[]) AS rows (s, v, i, n, p)";

pub const STREAM: &str =
    "SELECT name, payload::text FROM events WHERE stream = $1 ORDER BY version";

pub const ALL: &str = "SELECT name, payload::text FROM events ORDER BY position";
