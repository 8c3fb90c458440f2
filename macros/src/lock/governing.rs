//! Which lock governs the source file that a macro was called in.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use recount_schema::lock::{Lock, LockError};

use crate::diag::Errors;

/// The lock nearest above the source file. Nothing is asked of a file without one. A lock that cannot be read is told once for each
/// crate, and nothing is checked.
pub(super) fn governing(errors: &mut Errors) -> Option<Arc<Lock>> {
    let (folder, lock) = nearest()?;
    match lock {
        Ok(lock) => Some(lock),
        Err(error) => {
            if is_first(&folder.join("told")) {
                errors.at_span(Span::call_site(), error, "");
            }
            None
        }
    }
}

/// Whether there is a lock, be it one that cannot be read.
pub(super) fn is_governed() -> bool {
    nearest().is_some()
}

/// A folder `schema` with a lock beside the source file or beside a folder above it, up to the one of the package; of tests and benchmarks
/// up to their own folder.
fn nearest() -> Option<(PathBuf, Result<Arc<Lock>, LockError>)> {
    let above = above()?;
    for folder in above.ancestors() {
        let schema = folder.join("schema");
        if let Some(lock) = read(&schema).transpose() {
            return Some((schema, lock));
        }
        // A package's tests and benchmarks have types of their own, and are not what it releases.
        let is_apart = folder.ends_with("tests") || folder.ends_with("benches");
        let is_package = |folder: &Path| folder.join("Cargo.toml").is_file();
        if is_package(folder) || is_apart && folder.parent().is_some_and(is_package) {
            return None;
        }
    }
    None
}

/// What the tool sets when it asks a type what it is that does not agree with the lock: then nothing is refused.
const LENIENT: &str = "RECOUNT_SCHEMA_LENIENT";

/// Whether the tool asks, and only wants the tests.
pub(super) fn is_lenient() -> bool {
    std::env::var_os(LENIENT).is_some()
}

/// Makes the compiler look at these files again when they change, and at whether it is the tool that asks; each is read once, and
/// kept nowhere. Once for each crate is enough: what a crate depends on is all its own. They are statements.
pub(super) fn watch<'a>(files: impl IntoIterator<Item = &'a Path>) -> TokenStream {
    // One that is missing is told by whoever wanted to read it.
    let files = files
        .into_iter()
        .filter(|file| file.is_file() && is_first(file));
    let files = files.filter_map(Path::to_str);
    let lenient = is_first(Path::new(LENIENT)).then(|| {
        quote! {
            let _: ::core::option::Option<&str> = ::core::option_env!(#LENIENT);
        }
    });
    quote! {
        #(let _ = ::core::include_bytes!(#files);)*
        #lenient
    }
}

/// The folder of the source file, which may lie outside of the package; of code that a macro made it is the package.
fn above() -> Option<PathBuf> {
    // In tests of the macros there is no compiler.
    let file = proc_macro::is_available().then(|| proc_macro::Span::call_site().local_file());
    let file = file
        .flatten()
        .and_then(|file| std::path::absolute(file).ok());
    let folder = file.as_deref().and_then(Path::parent);
    let package = || std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    folder.map(Path::to_owned).or_else(package)
}

/// Read again only when `lock.toml` has changed: a crate has many events, and the server of an editor lives long.
fn read(folder: &Path) -> Result<Option<Arc<Lock>>, LockError> {
    type Kept = HashMap<PathBuf, (Option<(SystemTime, u64)>, Arc<Lock>)>;
    static KEPT: Mutex<Option<Kept>> = Mutex::new(None);
    let stamp = std::fs::metadata(folder.join("lock.toml")).ok();
    let stamp = stamp.and_then(|file| Some((file.modified().ok()?, file.len())));
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.get_or_insert_default();
    if let Some((then, lock)) = kept.get(folder)
        && stamp.is_some()
        && *then == stamp
    {
        return Ok(Some(Arc::clone(lock)));
    }
    let lock = Lock::read(folder)?.map(Arc::new);
    if let Some(lock) = &lock {
        kept.insert(folder.to_owned(), (stamp, Arc::clone(lock)));
    }
    Ok(lock)
}

/// Whether this is the first time that it is asked of in this crate.
fn is_first(path: &Path) -> bool {
    static TOLD: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.get_or_insert_default().insert(path.to_owned())
}
