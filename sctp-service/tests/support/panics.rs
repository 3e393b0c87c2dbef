//! Locations that panics report.
#![allow(clippy::unwrap_used, reason = "a surprise fails the test")]

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// There is one hook for panics.
static HOOK: Mutex<()> = Mutex::new(());

/// File and line of the panic that must come.
pub(crate) fn place_of_panic<T>(what: impl FnOnce() -> T) -> (String, u32) {
    let _guard = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let me = thread::current().id();
    let told = Arc::new(Mutex::new(None));
    let hook = Arc::clone(&told);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // Other tests panic as well.
        if thread::current().id() == me {
            *hook.lock().unwrap() = info.location().map(|at| (at.file().to_owned(), at.line()));
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(|| drop(what())));
    panic::set_hook(before);
    assert!(result.is_err());
    told.lock().unwrap().take().unwrap()
}
