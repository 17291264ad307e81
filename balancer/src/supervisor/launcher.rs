//! The step between the balancer and a launched program: it ties the program's life to the balancer's, then becomes the
//! program. A balancer that is killed cannot stop anybody, so the kernel has to.

use std::{convert::Infallible, ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Pid, Signal, getppid};

/// Becomes `command`, which is killed when the process `balancer` ends. Returns only if that fails.
///
/// The kernel sends the signal when the *thread* that started us ends; the supervisor's thread lives as long as its
/// process.
///
/// # Errors
///
/// The program cannot be executed, or the balancer has ended already.
pub fn launch(balancer: u32, command: &[OsString]) -> io::Result<Infallible> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the line above.
    let parent = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs());
    if parent != Some(balancer) {
        return Err(io::Error::other("the balancer that asked for this has ended"));
    }
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no program to launch"))?;
    Err(Command::new(program).args(arguments).exec())
}
