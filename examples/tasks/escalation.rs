//! What is done about a task that comes back too often: it is taken from who has it, so that somebody decides anew.
//!
//! Whether it came back too often is a rule of the task's own; this only asks when it is time to. It runs for all tenants, and acts
//! in the one that the event is of.

use recount::prelude::*;
use recount::repository::ExecuteError;

use crate::task::{Task, TaskError, TaskId, TaskReopened};

/// Who is said to have acted.
pub const ACTOR: &str = "escalation";

#[derive(Debug, Clone)]
pub struct Escalation;

#[reaction(name = "escalation", of(Task))]
impl Escalation {
    async fn reopened(
        &self,
        _: TaskReopened,
        at: &Envelope,
        act: &Act,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        escalate(&at.id_of::<Task>()?, act).await?;
        Ok(())
    }
}

/// Handled again, as after a crash, an event is answered with what was done the first time.
pub async fn escalate(id: &TaskId, act: &Act) -> Result<(), ExecuteError<TaskError>> {
    let act = act.with_metadata(Metadata::new().actor(ACTOR));
    act.execute(id, |task: &Task| Ok(task.escalate())).await?;
    Ok(())
}
