//! What happens: the tasks of two tenants, step by step.
//!
//! Each step says at which version it leaves its task, so a run that was stopped anywhere is gone on with by the next one.

use recount::prelude::*;
use recount::runner::Handle;

use crate::support::AnyError;
use crate::task::{Person, Task, TaskId};

/// Who asks for what, in which tenant and about which task.
struct Step {
    tenant: &'static str,
    task: &'static str,
    version: u64,
    actor: &'static str,
    what: What,
}

enum What {
    Create(&'static str),
    Assign(&'static str),
    Reassign(&'static str),
    Complete,
    Reopen,
    /// Nobody asks for it: the reaction to the second reopening does it.
    Escalated,
}

const fn step(
    tenant: &'static str,
    task: &'static str,
    version: u64,
    actor: &'static str,
    what: What,
    why: &'static str,
) -> (Step, &'static str) {
    let step = Step {
        tenant,
        task,
        version,
        actor,
        what,
    };
    (step, why)
}

#[rustfmt::skip]
const STORY: &[(Step, &str)] = &[
    step("acme", "T-1", 1, "Ann", What::Create("Mend the tap in the kitchen"), "the floor is wet every morning"),
    step("acme", "T-1", 2, "Ann", What::Assign("Jane"), "she has the tools"),
    step("acme", "T-2", 1, "Joe", What::Create("Order tea"), "two bags are left"),
    step("globex", "T-1", 1, "Hank", What::Create("Write the yearly report"), "the board meets in May"),
    step("acme", "T-2", 2, "Ann", What::Assign("Jane"), "the shop is on her way"),
    step("acme", "T-2", 3, "Ann", What::Reassign("Joe"), "Jane is busy with the tap"),
    step("acme", "T-1", 3, "Jane", What::Complete, "a new washer"),
    step("globex", "T-1", 2, "Hank", What::Assign("Jane"), "she wrote the last one"),
    step("acme", "T-2", 4, "Joe", What::Complete, "forty bags, Assam"),
    step("acme", "T-1", 4, "Ann", What::Reopen, "it drips again"),
    step("acme", "T-1", 5, "Jane", What::Complete, "tightened it"),
    step("acme", "T-1", 6, "Ann", What::Reopen, "it drips at night"),
    step("acme", "T-1", 7, "", What::Escalated, ""),
    step("acme", "T-1", 8, "Ann", What::Assign("Joe"), "he knows a plumber"),
    step("acme", "T-3", 1, "Joe", What::Create("Paint the fence"), "spring is coming"),
];

/// The handle of the store for a tenant, and what keeps that tenant's board.
pub struct Tenant {
    pub name: &'static str,
    pub store: Store,
    pub board: Handle,
}

/// Takes the steps that were not taken yet.
pub async fn go_on(tenants: &[Tenant], escalation: &Handle) -> Result<(), AnyError> {
    for (step, why) in STORY {
        let Some(tenant) = tenants.iter().find(|tenant| tenant.name == step.tenant) else {
            continue;
        };
        // What the commands return is on the board, so whoever looks there next sees it.
        let tasks = Repository::<Task>::new(&tenant.store)
            .with_metadata(Metadata::new().actor(step.actor))
            .until_seen_by(&tenant.board);
        let id = TaskId::new(step.task)?;
        let reached = tasks.find(&id).await?;
        if reached.is_some_and(|task| Root::version(&task).0 >= step.version) {
            continue;
        }
        match step.what {
            What::Create(title) => {
                tasks.create(&id, Task::create(title, why)?).await?;
            }
            What::Assign(to) => {
                let to = Person::new(to)?;
                tasks.execute(&id, |task| task.assign(&to, why)).await?;
            }
            What::Reassign(to) => {
                let to = Person::new(to)?;
                tasks.execute(&id, |task| task.reassign(&to, why)).await?;
            }
            What::Complete => {
                let by = Person::new(step.actor)?;
                tasks.execute(&id, |task| task.complete(&by, why)).await?;
            }
            What::Reopen => {
                tasks.execute(&id, |task| task.reopen(why)).await?;
            }
            What::Escalated => escalation.caught_up().await?,
        }
    }
    Ok(())
}
