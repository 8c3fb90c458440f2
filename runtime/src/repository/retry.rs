//! What to do when somebody else was faster, or the store is busy.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often, and after which pauses, a command is tried again.
///
/// The pause before attempt *n* + 1 is random between nothing and `base · 2ⁿ⁻¹`, at most `max`: "full jitter", after
/// Brooker, *Exponential Backoff and Jitter* (AWS Architecture Blog, 2015).
///
/// ```
/// use recount::repository::RetryPolicy;
///
/// assert_eq!(RetryPolicy::never().attempts, 1);
/// assert!(RetryPolicy::default().attempts > 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most attempts in all, the first included; at least 1.
    pub attempts: u32,
    /// The longest pause before the second attempt.
    pub base: Duration,
    /// The longest pause before any attempt.
    pub max: Duration,
}

impl Default for RetryPolicy {
    /// 64 attempts, with pauses of up to 1 ms at first and 16 ms at most: half a second of pauses in all. Who wins a race knows the new
    /// state at once, and so tends to win again; longer pauses leave it to itself for longer.
    fn default() -> Self {
        Self {
            attempts: 64,
            base: Duration::from_millis(1),
            max: Duration::from_millis(16),
        }
    }
}

impl RetryPolicy {
    /// One attempt.
    pub fn never() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    pub(super) fn tries(self) -> Tries {
        Tries {
            policy: self,
            made: 1,
        }
    }
}

/// The attempts of one command.
pub(super) struct Tries {
    policy: RetryPolicy,
    made: u32,
}

impl Tries {
    /// The most attempts in all on a store that fails.
    const OF_A_FAILING_STORE: u32 = 3;

    /// How many were made, the one under way included.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// As [`again`](Self::again), for a store that failed, which has waited by itself each time.
    pub(super) async fn soon(&mut self) -> bool {
        self.made < Self::OF_A_FAILING_STORE && self.again().await
    }

    /// Pauses before the next attempt; false when there is none left.
    pub(super) async fn again(&mut self) -> bool {
        if self.made >= self.policy.attempts {
            return false;
        }
        let longest = self
            .policy
            .base
            .saturating_mul(1 << (self.made - 1).min(20))
            .min(self.policy.max);
        self.made += 1;
        let pause = longest.mul_f64(random_fraction());
        if pause < Duration::from_micros(50) {
            // A pause this short is better spent letting others run.
            tokio::task::yield_now().await;
        } else {
            crate::background::sleep(pause).await;
        }
        true
    }
}

/// A number from 0 to 1. The standard library seeds each hasher anew, which is random enough to spread retries.
fn random_fraction() -> f64 {
    let random = u32::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or(u32::MAX);
    f64::from(random) / f64::from(u32::MAX)
}
