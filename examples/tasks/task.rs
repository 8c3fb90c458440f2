//! A task: its events, its state, its rules.
//!
//! Events say what happened and why. Who did it stands in their metadata, and when is known of every event.

use recount::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct TaskId(String);

/// Somebody whom tasks are assigned to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct Person(String);

// What happened to a task.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TaskCreated {
    pub title: String,
    pub reason: String,
}

/// To somebody who has it from now on, whoever had it before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TaskAssigned {
    pub to: Person,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TaskCompleted {
    pub by: Person,
    pub result: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TaskReopened {
    pub reason: String,
}

/// It is nobody's until somebody decides who should try next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct TaskEscalated {
    pub taken_from: Person,
    pub reason: String,
}

/// Why a task refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    #[error("a task needs a title")]
    NoTitle,
    #[error("say why")]
    NoReason,
    #[error("nobody has it: assign it first")]
    Unassigned,
    #[error("{0} has it already")]
    HasItAlready(Person),
    #[error("it is {0}'s: reassign it, and say why")]
    Assigned(Person),
    #[error("it is {assignee}'s, not {by}'s")]
    SomebodyElses { assignee: Person, by: Person },
    #[error("it is done: reopen it first")]
    Done,
    #[error("it is not done")]
    NotDone,
}

/// What the rules need to know of a task.
#[derive(Debug, Clone, PartialEq, Aggregate)]
#[aggregate(stream = "task", id = TaskId, error = TaskError, locked)]
pub struct Task {
    pub title: String,
    pub assignee: Option<Person>,
    pub is_done: bool,
    pub reopened: u32,
    pub was_escalated: bool,
}

#[apply]
impl Task {
    fn created(event: TaskCreated) -> Self {
        Self {
            title: event.title,
            assignee: None,
            is_done: false,
            reopened: 0,
            was_escalated: false,
        }
    }

    fn assigned(&mut self, event: TaskAssigned) {
        self.assignee = Some(event.to);
    }

    fn completed(&mut self, _: TaskCompleted) {
        self.is_done = true;
    }

    fn reopened(&mut self, _: TaskReopened) {
        self.is_done = false;
        self.reopened += 1;
    }

    fn escalated(&mut self, _: TaskEscalated) {
        self.assignee = None;
        self.was_escalated = true;
    }
}

/// Decisions: they look at the state, and return what happens or why not.
impl Task {
    /// How often a task comes back before somebody else should have a look.
    const TOO_OFTEN: u32 = 2;

    pub fn create(title: &str, reason: &str) -> Result<TaskCreated, TaskError> {
        if title.trim().is_empty() {
            return Err(TaskError::NoTitle);
        }
        let reason = said(reason)?;
        let title = title.to_owned();
        Ok(TaskCreated { title, reason })
    }

    /// Gives it to somebody, when nobody has it.
    pub fn assign(&self, to: &Person, reason: &str) -> Result<TaskAssigned, TaskError> {
        match &self.assignee {
            _ if self.is_done => Err(TaskError::Done),
            Some(same) if same == to => Err(TaskError::HasItAlready(same.clone())),
            Some(other) => Err(TaskError::Assigned(other.clone())),
            None => Self::give(to, reason),
        }
    }

    /// Takes it from one, and gives it to another.
    pub fn reassign(&self, to: &Person, reason: &str) -> Result<TaskAssigned, TaskError> {
        match &self.assignee {
            _ if self.is_done => Err(TaskError::Done),
            None => Err(TaskError::Unassigned),
            Some(same) if same == to => Err(TaskError::HasItAlready(same.clone())),
            Some(_) => Self::give(to, reason),
        }
    }

    fn give(to: &Person, reason: &str) -> Result<TaskAssigned, TaskError> {
        let reason = said(reason)?;
        let to = to.clone();
        Ok(TaskAssigned { to, reason })
    }

    pub fn complete(&self, by: &Person, result: &str) -> Result<TaskCompleted, TaskError> {
        match &self.assignee {
            _ if self.is_done => Err(TaskError::Done),
            None => Err(TaskError::Unassigned),
            Some(assignee) if assignee != by => Err(TaskError::SomebodyElses {
                assignee: assignee.clone(),
                by: by.clone(),
            }),
            Some(by) => Ok(TaskCompleted {
                by: by.clone(),
                result: result.to_owned(),
            }),
        }
    }

    /// It is again on the list of who completed it.
    pub fn reopen(&self, reason: &str) -> Result<TaskReopened, TaskError> {
        if !self.is_done {
            return Err(TaskError::NotDone);
        }
        let reason = said(reason)?;
        Ok(TaskReopened { reason })
    }

    /// Takes it from who has it, when it came back too often; once in a task's life.
    pub fn escalate(&self) -> Option<TaskEscalated> {
        let is_due = !self.is_done && !self.was_escalated && self.reopened >= Self::TOO_OFTEN;
        let taken_from = self.assignee.clone().filter(|_| is_due)?;
        let reason = format!("it was reopened {} times", self.reopened);
        Some(TaskEscalated { taken_from, reason })
    }
}

fn said(reason: &str) -> Result<String, TaskError> {
    if reason.trim().is_empty() {
        return Err(TaskError::NoReason);
    }
    Ok(reason.to_owned())
}
