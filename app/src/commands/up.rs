//! `logkin up`: the balancer with instances of this very program behind it. The one file of the app that knows the
//! balancer.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use logkin_balancer::{
    Ready, Signals,
    cli::Launch,
    config::{Config, Program},
    shutdown::Shutdown,
};

use crate::cli::{State, Up};

/// The name of instances, in logs and files.
const NAME: &str = "instance";

pub(super) fn run(flags: &Up) -> anyhow::Result<u8> {
    // Whoever embeds this may have set up logging already.
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    drop(tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_ansi(colours).try_init());
    let config = config(flags)?;
    let outcome = logkin_balancer::run(config, &Shutdown::default(), Signals::Follow, announce)?;
    if outcome.cut > 0 {
        eprintln!("logkin: {} connections were cut off at the deadline", outcome.cut);
    }
    for name in outcome.killed {
        eprintln!("logkin: {name} did not end in time and was killed");
    }
    Ok(0)
}

/// Becomes an instance; `up` starts itself this way.
pub(super) fn launch(flags: &Launch) -> anyhow::Result<u8> {
    match flags.run()? {}
}

/// The one line on standard output.
fn announce(ready: &Ready) {
    let Some(address) = ready.listening.first() else { return };
    let missing = match ready.expected - ready.serving {
        0 => String::new(),
        missing => format!(", {missing} of {} instances still starting", ready.expected),
    };
    println!("logkin is ready: http://{address} (Ctrl-C ends it{missing})");
}

fn config(flags: &Up) -> anyhow::Result<Config> {
    let data_dir = data_dir(&flags.state)?;
    let logs = data_dir.join("logs");
    check_writable(&data_dir)?;
    check_writable(&logs)?;
    let mut config = Config::listening(vec![flags.listen]);
    let this = std::env::current_exe().context("the path of this program cannot be found")?;
    let mut program = Program::new(NAME, instance_command(&this, &data_dir, &flags.state)?, ports(flags)?);
    program.log_dir = Some(logs.clone());
    config.programs.push(program);
    config.access_log = Some(logs.join("access.log"));
    config.launcher = Some(vec![this.into(), "launch".into()]);
    Ok(config)
}

fn ports(flags: &Up) -> anyhow::Result<Vec<u16>> {
    if flags.first_port == 0 {
        return Ok(vec![0; flags.instances.into()]);
    }
    let Some(last) = flags.first_port.checked_add(flags.instances - 1) else {
        bail!("there are not {} ports from {} on; choose a lower --first-port", flags.instances, flags.first_port);
    };
    let ports = flags.first_port..=last;
    if ports.contains(&flags.listen.port()) {
        bail!(
            "port {} is the balancer's and an instance's; choose another --listen or --first-port",
            flags.listen.port()
        );
    }
    Ok(ports.collect())
}

fn instance_command(this: &Path, data_dir: &Path, state: &State) -> anyhow::Result<Vec<OsString>> {
    let mut command: Vec<OsString> = vec![this.into(), "serve".into()];
    command.extend(["--listen", "127.0.0.1:{port}", "--listen", "unix:{socket}", "--data-dir"].map(OsString::from));
    command.push(data_dir.into());
    for root in &state.allow_roots {
        let root = std::path::absolute(root).with_context(|| format!("{} cannot be found", root.display()))?;
        command.extend(["--allow-root".into(), root.into()]);
    }
    Ok(command)
}

/// Where uploads, reports and the database are kept.
fn data_dir(state: &State) -> anyhow::Result<PathBuf> {
    let dir = match &state.data_dir {
        Some(dir) => dir.clone(),
        None => default_data_dir(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))
            .context("there is no home folder to keep data in; give a folder with --data-dir")?,
    };
    std::path::absolute(&dir).with_context(|| format!("{} is no folder", dir.display()))
}

fn default_data_dir(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: Option<OsString>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(xdg).or_else(|| Some(absolute(home)?.join(".local/share"))).map(|dir| dir.join("logkin"))
}

/// Makes the folder if it is not there, and writes something into it: permissions alone do not tell.
fn check_writable(dir: &Path) -> anyhow::Result<()> {
    let probe = dir.join(format!(".writable-{}", std::process::id()));
    let write = || {
        std::fs::create_dir_all(dir)?;
        OpenOptions::new().write(true).create_new(true).open(&probe)?;
        std::fs::remove_file(&probe)
    };
    write().with_context(|| {
        format!(
            "the data folder {} cannot be written; make it yours, or choose another one with --data-dir",
            dir.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_kept_where_the_desktop_says_or_below_home() {
        let dir = |xdg: Option<&str>, home: Option<&str>| default_data_dir(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(dir(Some("/x"), Some("/h")), Some("/x/logkin".into()));
        assert_eq!(dir(Some("relative"), Some("/h")), Some("/h/.local/share/logkin".into()));
        assert_eq!(dir(None, None), None);
    }
}
