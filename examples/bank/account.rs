//! The bank account: its events, its state, its rules.

use recount::prelude::*;

use crate::money::Cents;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Id)]
pub struct AccountId(String);

// What happened to an account.

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct AccountCreated {
    pub account_holder: String,
    pub initial_deposit: Cents,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct MoneyDeposited {
    pub amount: Cents,
    pub description: String,
    pub balance_after: Cents,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct MoneyWithdrawn {
    pub amount: Cents,
    pub description: String,
    pub balance_after: Cents,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub struct AccountClosed {
    pub final_balance: Cents,
}

/// Why an account refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("the account is not active")]
    NotActive,
    #[error("the account is already closed")]
    AlreadyClosed,
    #[error("the amount must be positive, not {0}")]
    NotPositive(Cents),
    #[error("insufficient funds: the balance is {balance}, {amount} was asked for")]
    InsufficientFunds { balance: Cents, amount: Cents },
}

/// What the rules need to know of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Aggregate)]
#[aggregate(stream = "account", id = AccountId, error = AccountError, snapshot_every = 100, locked)]
pub struct BankAccount {
    pub holder: String,
    pub balance: Cents,
    pub created_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
}

#[apply]
impl BankAccount {
    fn created(event: AccountCreated, at: &EventContext) -> Self {
        Self {
            holder: event.account_holder,
            balance: Cents(0),
            created_at: at.recorded_at,
            closed_at: None,
        }
    }

    fn deposited(&mut self, event: MoneyDeposited) {
        self.balance += event.amount;
    }

    fn withdrawn(&mut self, event: MoneyWithdrawn) {
        self.balance -= event.amount;
    }

    fn closed(&mut self, _: AccountClosed, at: &EventContext) {
        self.closed_at = Some(at.recorded_at);
    }
}

/// Decisions: they look at the state, and return what happens or why not.
impl BankAccount {
    pub fn open(holder: &str, initial_deposit: Cents) -> (AccountCreated, Option<MoneyDeposited>) {
        let deposited = (initial_deposit > Cents(0)).then(|| MoneyDeposited {
            amount: initial_deposit,
            description: "Initial deposit".into(),
            balance_after: initial_deposit,
        });
        (
            AccountCreated {
                account_holder: holder.into(),
                initial_deposit,
            },
            deposited,
        )
    }

    pub fn deposit(
        &self,
        amount: Cents,
        description: &str,
    ) -> Result<MoneyDeposited, AccountError> {
        self.check_active()?;
        check_positive(amount)?;
        Ok(MoneyDeposited {
            amount,
            description: description.into(),
            balance_after: self.balance + amount,
        })
    }

    pub fn withdraw(
        &self,
        amount: Cents,
        description: &str,
    ) -> Result<MoneyWithdrawn, AccountError> {
        self.check_active()?;
        check_positive(amount)?;
        if amount > self.balance {
            return Err(AccountError::InsufficientFunds {
                balance: self.balance,
                amount,
            });
        }
        Ok(MoneyWithdrawn {
            amount,
            description: description.into(),
            balance_after: self.balance - amount,
        })
    }

    pub fn close(&self) -> Result<AccountClosed, AccountError> {
        if !self.is_active() {
            return Err(AccountError::AlreadyClosed);
        }
        Ok(AccountClosed {
            final_balance: self.balance,
        })
    }

    pub fn is_active(&self) -> bool {
        self.closed_at.is_none()
    }

    fn check_active(&self) -> Result<(), AccountError> {
        if self.is_active() {
            Ok(())
        } else {
            Err(AccountError::NotActive)
        }
    }
}

fn check_positive(amount: Cents) -> Result<(), AccountError> {
    if amount > Cents(0) {
        Ok(())
    } else {
        Err(AccountError::NotPositive(amount))
    }
}
