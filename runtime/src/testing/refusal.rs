//! What a test expects of an error: a value, a text, or a pattern.

use std::error::Error;
use std::fmt::{Debug, Display};

/// What `then_err` accepts: a value that the error must equal, its text, or a [`pattern!`](crate::testing::pattern). Of a boxed
/// error, the value may be what is in the box.
///
/// `Kind` only keeps them apart for the compiler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be compared with an error of type `{X}`",
    note = "give a value of the error's type if it is `PartialEq`, its text, or `pattern!(…)`"
)]
pub trait Refusal<X, Kind> {
    /// Whether the error is the expected one.
    fn matches(&self, error: &X) -> bool;

    /// What was expected, for a failed test.
    fn describe(&self) -> String;

    /// What came instead, in the same form.
    fn describe_other(&self, error: &X) -> String;
}

/// A value that the error must equal.
#[derive(Debug)]
pub struct ByValue;

impl<X: PartialEq + Debug> Refusal<X, ByValue> for X {
    fn matches(&self, error: &X) -> bool {
        self == error
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn describe_other(&self, error: &X) -> String {
        format!("{error:?}")
    }
}

/// What a boxed error holds.
#[derive(Debug)]
pub struct ByContent;

impl<E: Error + PartialEq + 'static> Refusal<Box<dyn Error + Send + Sync>, ByContent> for E {
    fn matches(&self, error: &Box<dyn Error + Send + Sync>) -> bool {
        error.downcast_ref::<E>() == Some(self)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn describe_other(&self, error: &Box<dyn Error + Send + Sync>) -> String {
        format!("{error:?}")
    }
}

/// The error's text.
#[derive(Debug)]
pub struct ByText;

impl<X: Display> Refusal<X, ByText> for &str {
    fn matches(&self, error: &X) -> bool {
        error.to_string() == *self
    }

    fn describe(&self) -> String {
        format!("the text {self:?}")
    }

    fn describe_other(&self, error: &X) -> String {
        format!("the text {:?}", error.to_string())
    }
}

/// A pattern that the error must match, made by [`pattern!`](crate::testing::pattern).
#[derive(Debug, Clone, Copy)]
pub struct Pattern<F> {
    text: &'static str,
    matches: F,
}

impl<F> Pattern<F> {
    /// What [`pattern!`](crate::testing::pattern) calls.
    #[doc(hidden)]
    pub fn new<X>(text: &'static str, matches: F) -> Self
    where
        F: Fn(&X) -> bool,
    {
        Self { text, matches }
    }
}

/// A pattern that the error must match.
#[derive(Debug)]
pub struct ByPattern;

impl<X: Debug, F: Fn(&X) -> bool> Refusal<X, ByPattern> for Pattern<F> {
    fn matches(&self, error: &X) -> bool {
        (self.matches)(error)
    }

    fn describe(&self) -> String {
        self.text.to_owned()
    }

    fn describe_other(&self, error: &X) -> String {
        format!("{error:?}")
    }
}

/// A pattern for `then_err`, written as in `match`.
///
/// ```
/// # use recount::prelude::*;
/// # #[derive(Debug, Clone, PartialEq, Eq, Hash, Id)] pub struct AccountId(String);
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Deposited { pub cents: i64 }
/// # #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)] pub struct Withdrawn { pub cents: i64 }
/// # #[derive(Debug, thiserror::Error)] pub enum AccountError { #[error("{missing} are missing")] Insufficient { missing: i64 } }
/// # #[derive(Debug, Clone, Default, PartialEq, Aggregate)] #[aggregate(stream = "account", id = AccountId, error = AccountError)]
/// # pub struct Account { balance: i64 }
/// # #[apply] impl Account {
/// #     fn deposited(&mut self, event: Deposited) { self.balance += event.cents; }
/// #     fn withdrawn(&mut self, event: Withdrawn) { self.balance -= event.cents; }
/// # }
/// # impl Account {
/// #     fn withdraw(&self, cents: i64) -> Result<Withdrawn, AccountError> {
/// #         if cents > self.balance { Err(AccountError::Insufficient { missing: cents - self.balance }) } else { Ok(Withdrawn { cents }) }
/// #     }
/// # }
/// use recount::testing::{given, pattern};
///
/// given::<Account>(Deposited { cents: 100 })
///     .when(|account| account.withdraw(250))
///     .then_err(pattern!(AccountError::Insufficient { missing } if *missing > 100));
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __pattern {
    ($($pattern:tt)+) => {
        $crate::testing::Pattern::new(stringify!($($pattern)+), |error: &_| matches!(error, $($pattern)+))
    };
}
