//! What is measured.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Account, Command, Contender, Event, Refused};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    Command,
    Commands,
    Appends,
    Hot,
    Batches,
    Load,
    /// Not measured: what `CatchUp` reads.
    Fill,
    CatchUp,
}

impl Work {
    /// What it is called on the command line, and above its column.
    pub const MEASURED: [(Self, &str, &str); 7] = [
        (Self::Command, "command", "command, 1 task"),
        (Self::Commands, "commands", "commands, 64 tasks"),
        (Self::Appends, "appends", "appends, 64 tasks"),
        (Self::Hot, "hot", "commands, 16 tasks, one stream"),
        (Self::Batches, "batches", "events in batches of 100"),
        (Self::Load, "load", "events loaded, 1,000 a stream"),
        (Self::CatchUp, "catch-up", "events projected, of 100,000"),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effort {
    Full,
    Quick,
}

impl Effort {
    fn window(self) -> Duration {
        Duration::from_millis(match self {
            Self::Full => 1_000,
            Self::Quick => 200,
        })
    }

    fn of(self, full: u64) -> u64 {
        match self {
            Self::Full => full,
            Self::Quick => full / 10,
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Job {
    pub work: Work,
    /// So that accounts of other rounds are left alone.
    pub round: u64,
    pub effort: Effort,
}

/// What came of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Of commands or events, whatever is counted.
    pub per_second: f64,
    pub attempts: Option<f64>,
    /// What is not as it was done.
    pub wrong: Option<String>,
}

impl Figure {
    fn of(count: u64, elapsed: Duration) -> Self {
        Self {
            per_second: count as f64 / elapsed.as_secs_f64(),
            ..Self::default()
        }
    }

    fn check(&mut self, account: &str, expected: Account, found: Account) {
        if expected != found && self.wrong.is_none() {
            self.wrong = Some(format!("{account}: {found:?} instead of {expected:?}"));
        }
    }
}

/// Commands on an account before the next one is opened.
const EACH: u64 = 50;
const ACCOUNTS: u64 = 10;
const BATCH: u64 = 100;

impl Job {
    /// `None` where the contender has nothing of the kind.
    pub(crate) async fn run<C: Contender>(self, contender: &C) -> Option<Figure> {
        let effort = self.effort;
        Some(match self.work {
            Work::Command => self.own(contender, 1).await,
            Work::Commands | Work::Appends => self.own(contender, 64).await,
            Work::Hot => self.hot(contender, 16, effort.of(20)).await,
            Work::Batches => self.batches(contender, effort.of(200)).await,
            Work::Load => self.load(contender).await,
            Work::Fill => {
                self.fill(contender, "log", effort.of(100)).await;
                Figure::default()
            }
            Work::CatchUp => return self.catch_up(contender, effort.of(100)).await,
        })
    }

    fn account(self, name: impl std::fmt::Display) -> String {
        format!("{:?}-{}-{name}", self.work, self.round)
    }

    /// Each task has accounts of its own.
    async fn own<C: Contender>(self, contender: &C, tasks: u64) -> Figure {
        // Connections are made and statements prepared before.
        self.by_each(contender, "warm", tasks, self.effort.window() / 5)
            .await;
        let start = Instant::now();
        let all = self
            .by_each(contender, "own", tasks, self.effort.window())
            .await;
        let mut figure = Figure::of(all.iter().sum(), start.elapsed());
        for (task, done) in all.into_iter().enumerate() {
            for first in (0..done).step_by(EACH as usize) {
                let mut expected = Account::default();
                for number in 0..EACH.min(done - first) {
                    expected.apply(&expected.next(number));
                }
                let name = self.account(format_args!("own-{task}-{}", first / EACH));
                figure.check(&name, expected, contender.load(&name).await);
            }
        }
        figure
    }

    /// How many commands or appends each task did in a time.
    async fn by_each<C: Contender>(
        self,
        contender: &C,
        what: &'static str,
        tasks: u64,
        time: Duration,
    ) -> Vec<u64> {
        let deadline = Instant::now() + time;
        let task = |task: u64| {
            let contender = contender.clone();
            async move {
                let (mut done, mut state) = (0, Account::default());
                while Instant::now() < deadline {
                    let (account, number) = (done / EACH, done % EACH);
                    let account = self.account(format_args!("{what}-{task}-{account}"));
                    if self.work == Work::Appends {
                        if number == 0 {
                            state = Account::default();
                        }
                        let event = state.next(number);
                        contender.append(&account, state, event.clone()).await;
                        state.apply(&event);
                    } else {
                        let executed = contender.execute(&account, nth(number)).await;
                        executed.expect("it is allowed");
                    }
                    done += 1;
                }
                done
            }
        };
        together(tasks, task).await
    }

    /// All tasks want the same account.
    async fn hot<C: Contender>(self, contender: &C, tasks: u64, each: u64) -> Figure {
        let warm = self.account("warm");
        open(contender, &warm).await;
        let deposits = |account: String, count: u64| {
            move |_| {
                let (contender, account) = (contender.clone(), account.clone());
                async move {
                    let mut attempts = 0;
                    for _ in 0..count {
                        let deposit = Command::Deposit {
                            amount: 10,
                            times: 1,
                        };
                        attempts += contender
                            .execute(&account, deposit)
                            .await
                            .expect("it is allowed");
                    }
                    attempts
                }
            }
        };
        together(tasks, deposits(warm, 1)).await;
        let account = self.account("hot");
        open(contender, &account).await;
        let start = Instant::now();
        let attempts: u64 = together(tasks, deposits(account.clone(), each))
            .await
            .iter()
            .sum();
        let count = tasks * each;
        let mut figure = Figure::of(count, start.elapsed());
        figure.attempts = Some(attempts as f64 / count as f64);
        figure.check(
            "the hot account",
            sum(1, count),
            contender.load(&account).await,
        );
        figure
    }

    /// Each command is a batch, on an account that has been opened.
    async fn batches<C: Contender>(self, contender: &C, batches: u64) -> Figure {
        let account = |number| self.account(number);
        for number in 0..batches {
            open(contender, &account(number)).await;
        }
        let start = Instant::now();
        for number in 0..batches {
            deposit(contender, &account(number)).await;
        }
        let mut figure = Figure::of(batches * BATCH, start.elapsed());
        for number in 0..batches {
            figure.check(
                "an account",
                sum(1, BATCH),
                contender.load(&account(number)).await,
            );
        }
        figure
    }

    async fn load<C: Contender>(self, contender: &C) -> Figure {
        let accounts = self.fill(contender, "long", ACCOUNTS).await;
        let expected = sum(1, 10 * BATCH);
        let mut figure = Figure::default();
        for account in &accounts {
            figure.check(account, expected, contender.load(account).await);
        }
        let (start, mut events) = (Instant::now(), 0);
        while start.elapsed() < self.effort.window() {
            for account in &accounts {
                events += contender.load(account).await.events;
            }
        }
        Figure {
            wrong: figure.wrong,
            ..Figure::of(events, start.elapsed())
        }
    }

    /// Accounts with 10 batches each. Those who come later find them, by any round.
    async fn fill<C: Contender>(self, contender: &C, name: &str, accounts: u64) -> Vec<String> {
        let accounts: Vec<String> = (0..accounts)
            .map(|number| self.account(format_args!("{name}-{number}")))
            .collect();
        for account in &accounts {
            open(contender, account).await;
        }
        for _ in 0..10 {
            for account in &accounts {
                deposit(contender, account).await;
            }
        }
        accounts
    }

    async fn catch_up<C: Contender>(self, contender: &C, accounts: u64) -> Option<Figure> {
        let expected = sum(accounts, accounts * 10 * BATCH);
        let start = Instant::now();
        let found = contender.catch_up().await?;
        let mut figure = Figure::of(expected.events, start.elapsed());
        figure.check("the projection", expected, found);
        Some(figure)
    }
}

/// The commands on an account in turn: it is opened, and then two of three are deposits.
fn nth(number: u64) -> Command {
    match number % 3 {
        _ if number == 0 => Command::Open,
        0 => Command::Withdraw { amount: 15 },
        _ => Command::Deposit {
            amount: 10,
            times: 1,
        },
    }
}

impl Account {
    /// What comes of the command that is the next one.
    fn next(&self, number: u64) -> Event {
        let events = self.decide(nth(number)).expect("it is allowed");
        let [event] = events.try_into().expect("a command has one event");
        event
    }
}

/// What accounts have together that were opened and got so many deposits of ten.
fn sum(opened: u64, deposits: u64) -> Account {
    Account {
        is_open: true,
        balance: 10 * deposits as i64,
        events: opened + deposits,
    }
}

/// Opens an account, and sees that its rule holds.
async fn open(contender: &impl Contender, account: &str) {
    contender
        .execute(account, Command::Open)
        .await
        .expect("it is not open");
    let refused = contender
        .execute(account, Command::Withdraw { amount: 1 })
        .await;
    let overdrawn = Refused::Overdrawn {
        balance: 0,
        amount: 1,
    };
    assert_eq!(refused, Err(overdrawn), "an account without money");
}

async fn deposit(contender: &impl Contender, account: &str) {
    let deposit = Command::Deposit {
        amount: 10,
        times: BATCH,
    };
    contender
        .execute(account, deposit)
        .await
        .expect("it is allowed");
}

/// Tasks that do something at the same time; what each returns.
async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    count: u64,
    task: impl Fn(u64) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count)
        .map(|number| tokio::spawn(task(number)))
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.expect("no task fails"));
    }
    all
}
