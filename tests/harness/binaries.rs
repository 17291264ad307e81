//! Where the built programs are. Owns no process.

use std::{env, path::PathBuf};

/// The `logkin` program: `LOGKIN_BIN`, or the one built beside this test.
pub fn logkin() -> PathBuf {
    built("logkin", "LOGKIN_BIN")
}

/// The `logkin-balancer` program: `LOGKIN_BALANCER_BIN`, or the one built beside this test.
pub fn logkin_balancer() -> PathBuf {
    built("logkin-balancer", "LOGKIN_BALANCER_BIN")
}

/// # Panics
///
/// When the program is not there, with what to do about it.
fn built(name: &str, variable: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return PathBuf::from(path);
    }
    // target/PROFILE/deps/scenarios-HASH -> target/PROFILE/NAME
    let test = env::current_exe().expect("a running test has a path");
    let folder = test.parent().and_then(std::path::Path::parent).expect("cargo puts tests into target/PROFILE/deps");
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "{} is not there; build first with `cargo test --workspace`, or name a built program in {variable}",
        path.display()
    );
    path
}
