//! Errors as one line for people.

use std::error::Error;

/// An error with all that caused it, as one line: for logs and for whoever reads them.
///
/// An error's own text says what failed; why, it often leaves to its [`source`](Error::source), where programs can look at it. This
/// puts the texts of all of them one behind another, and each once, since some errors tell their cause themselves.
///
/// ```
/// use recount::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let error = Store::connect("sqlite:/no/such/folder/log.db").await.unwrap_err();
/// eprintln!("error: {}", recount::with_causes(&error));
/// # let (told, cause) = (recount::with_causes(&error), std::error::Error::source(&error).unwrap().to_string());
/// # assert!(told.starts_with(&error.to_string()) && told.contains(&cause), "{told}");
/// # }
/// ```
///
/// What a projection met last, as [`Status::last_error`](crate::runner::Status::last_error) tells it, or an error of your own:
///
/// ```
/// # fn tell(status: &recount::runner::Status, error: Box<dyn std::error::Error + Send + Sync>) {
/// if let Some((at, error)) = &status.last_error {
///     eprintln!("{at} {}: {}", status.name, recount::with_causes(&**error));
/// }
/// eprintln!("error: {}", recount::with_causes(&*error));
/// # }
/// ```
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        source = cause.source();
    }
    told
}
