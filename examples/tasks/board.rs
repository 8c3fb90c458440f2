//! What people look at: a line for each task, and counts for each person, in tables of the store's own database.
//!
//! What the events of a page change is written in the transaction that saves how far the projection got, so each event
//! counts once in every number here. A tenant has tables of its own; whoever has access to the database reads them as the
//! views `board_TENANT` and `people_TENANT`.

use recount::prelude::*;
use recount::projection::{QueryError, TableReader};

use crate::task::{Task, TaskAssigned, TaskCompleted, TaskCreated, TaskEscalated, TaskReopened};

#[derive(Debug, Clone)]
pub struct Board;

// The statements are SQL that SQLite and PostgreSQL both understand. They run one after another, so that the counts of a person
// can be changed before the board forgets whose task it was.
#[projection(name = "board", of(Task))]
impl Board {
    const TABLES: &[&str] = &[
        "CREATE TABLE {board} (
            task text PRIMARY KEY,
            title text NOT NULL,
            state text NOT NULL,
            assignee text,
            reopened bigint NOT NULL,
            created_at timestamptz NOT NULL,
            assigned_at timestamptz,
            done_at timestamptz
        )",
        "CREATE INDEX {board_by_assignee} ON {board} (assignee)",
        "CREATE TABLE {people} (
            person text PRIMARY KEY,
            open bigint NOT NULL,
            done bigint NOT NULL,
            reopened bigint NOT NULL
        )",
    ];

    fn created(&self, event: TaskCreated, at: &Envelope, sql: &mut Sql) {
        sql.run(
            "INSERT INTO {board} VALUES ($1, $2, 'open', NULL, 0, $3, NULL, NULL)",
            (at.stream.id(), event.title, at.recorded_at),
        );
    }

    fn assigned(&self, event: TaskAssigned, at: &Envelope, sql: &mut Sql) {
        taken_away(at, sql);
        sql.run(
            "INSERT INTO {people} AS p VALUES ($1, 1, 0, 0)
             ON CONFLICT (person) DO UPDATE SET open = p.open + 1",
            (event.to.as_str(),),
        );
        sql.run(
            "UPDATE {board} SET state = 'assigned', assignee = $2, assigned_at = $3 WHERE task = $1",
            (at.stream.id(), event.to.as_str(), at.recorded_at),
        );
    }

    fn completed(&self, event: TaskCompleted, at: &Envelope, sql: &mut Sql) {
        sql.run(
            "UPDATE {people} SET open = open - 1, done = done + 1 WHERE person = $1",
            (event.by.as_str(),),
        );
        sql.run(
            "UPDATE {board} SET state = 'done', done_at = $2 WHERE task = $1",
            (at.stream.id(), at.recorded_at),
        );
    }

    fn reopened(&self, _: TaskReopened, at: &Envelope, sql: &mut Sql) {
        sql.run(
            "UPDATE {people} SET open = open + 1, done = done - 1, reopened = reopened + 1
             WHERE person = (SELECT assignee FROM {board} WHERE task = $1)",
            (at.stream.id(),),
        );
        sql.run(
            "UPDATE {board} SET state = 'assigned', reopened = reopened + 1, done_at = NULL WHERE task = $1",
            (at.stream.id(),),
        );
    }

    fn escalated(&self, _: TaskEscalated, at: &Envelope, sql: &mut Sql) {
        taken_away(at, sql);
        sql.run(
            "UPDATE {board} SET state = 'escalated', assignee = NULL, assigned_at = NULL WHERE task = $1",
            (at.stream.id(),),
        );
    }
}

/// Who has the task, if anybody has, has one less.
fn taken_away(at: &Envelope, sql: &mut Sql) {
    sql.run(
        "UPDATE {people} SET open = open - 1
         WHERE person = (SELECT assignee FROM {board} WHERE task = $1)",
        (at.stream.id(),),
    );
}

/// A task on the board.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    pub task: String,
    pub title: String,
    pub state: String,
    pub assignee: Option<String>,
    pub reopened: u32,
    pub created_at: DateTime<Utc>,
    pub assigned_at: Option<DateTime<Utc>>,
    pub done_at: Option<DateTime<Utc>>,
}

/// How a person does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Counts {
    pub person: String,
    /// The tasks that this person has and that are not done.
    pub open: i64,
    /// Those that are.
    pub done: i64,
    /// How often one of them was not.
    pub reopened: i64,
}

/// Questions, which any process may ask.
impl Board {
    pub async fn lines(board: &TableReader<Self>) -> Result<Vec<Line>, QueryError> {
        board.rows("SELECT * FROM {board} ORDER BY task", ()).await
    }

    pub async fn people(board: &TableReader<Self>) -> Result<Vec<Counts>, QueryError> {
        let text = "SELECT * FROM {people} ORDER BY person";
        board.rows(text, ()).await
    }

    /// The tasks that somebody still has to do.
    pub async fn open_for(
        board: &TableReader<Self>,
        person: &str,
    ) -> Result<Vec<String>, QueryError> {
        let text = "SELECT task FROM {board} WHERE assignee = $1 AND state <> 'done' ORDER BY task";
        board.rows(text, (person,)).await
    }
}
