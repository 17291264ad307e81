//! `logkin up`: the balancer with instances of this very program behind it. The one file of the app that knows the
//! balancer.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use logkin_balancer::{
    Ready, Signals,
    cli::Launch,
    config::{Config, Program},
    shutdown::Shutdown,
};

use crate::{
    cli::{Serve, Up},
    config::{self, Listen},
    output,
};

/// The name of instances, in logs and files.
const NAME: &str = "instance";
/// From SIGTERM to the end of an instance: longer than instances give themselves to finish what they have begun.
const STOP_DEADLINE: Duration = Duration::from_secs(25);

pub(super) fn run(flags: &Up) -> anyhow::Result<u8> {
    let config = balancer_config(flags)?;
    let outcome = logkin_balancer::run(config, &Shutdown::default(), Signals::Follow, announce)?;
    if outcome.cut > 0 {
        output::tell(format_args!("{} connections were cut off at the deadline", outcome.cut));
    }
    for name in outcome.killed {
        output::tell(format_args!("{name} did not end in time and was killed"));
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
    output::announce(format_args!("logkin is ready: http://{address} (Ctrl-C ends it{missing})"));
}

fn balancer_config(flags: &Up) -> anyhow::Result<Config> {
    let (served, ports) = (check(flags), ports(flags));
    let problems = [served.as_ref().err(), ports.as_ref().err()];
    let problems: Vec<String> = problems.into_iter().flatten().map(|problem| format!("{problem:#}")).collect();
    let (Ok((listen, data_dir)), Ok(ports), true) = (served, ports, problems.is_empty()) else {
        bail!(problems.join("\n"));
    };
    if ports.contains(&listen.port()) && listen.port() != 0 {
        bail!("port {} is the balancer's and an instance's; choose another --listen or --first-port", listen.port());
    }
    let this = std::env::current_exe().context("the path of this program cannot be found")?;
    let mut program = Program::new(NAME, instance_command(&this, &data_dir, listen, flags)?, ports);
    program.stop_deadline = STOP_DEADLINE;
    program.ports_option = "--first-port";
    let logs = data_dir.join("logs");
    std::fs::create_dir_all(&logs).with_context(|| format!("the log folder {} cannot be made", logs.display()))?;
    let mut config = Config::listening(vec![listen]);
    config.metrics_listen = flags.metrics_listen;
    config.access_log = Some(logs.join("access.log"));
    config.launcher = Some(vec![this.into(), "launch".into()]);
    program.log_dir = Some(logs);
    config.programs.push(program);
    Ok(config)
}

fn ports(flags: &Up) -> anyhow::Result<Vec<u16>> {
    if flags.first_port == 0 {
        return Ok(vec![0; flags.instances.into()]);
    }
    let Some(last) = flags.first_port.checked_add(flags.instances - 1) else {
        bail!("there are not {} ports from {} on; choose a lower --first-port", flags.instances, flags.first_port);
    };
    Ok((flags.first_port..=last).collect())
}

/// The rules of a single instance, before any is launched: who may come, what may be opened, where data is kept.
fn check(flags: &Up) -> anyhow::Result<(SocketAddr, PathBuf)> {
    let (access, state) = (flags.access.clone(), flags.state.clone());
    let served = config::Config::check(&Serve { listen: vec![flags.listen.clone()], name: None, access, state })?;
    match served.listen[..] {
        [Listen::Tcp(address)] => Ok((address, served.data_dir)),
        _ => bail!("--listen {}: expected HOST:PORT, such as 127.0.0.1:8001", flags.listen),
    }
}

fn instance_command(this: &Path, data_dir: &Path, balancer: SocketAddr, flags: &Up) -> anyhow::Result<Vec<OsString>> {
    let mut command: Vec<OsString> = vec![this.into()];
    // Leases go by names, and an instance that starts takes those of its name for its own from before. Ports of our own
    // make the names ours; without, a second service on the same data needs others.
    let name = match flags.first_port {
        0 => format!("{{name}}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]),
        _ => "{name}".to_owned(),
    };
    let listen = ["serve", "--name", &name, "--listen", "127.0.0.1:{port}", "--listen", "unix:{socket}", "--data-dir"];
    command.extend(listen.map(OsString::from));
    command.push(data_dir.into());
    for root in &flags.state.allow_roots {
        let root = std::path::absolute(root).with_context(|| format!("{} cannot be found", root.display()))?;
        command.extend(["--allow-root".into(), root.into()]);
    }
    if let Some(rules) = &flags.state.rules {
        let rules = std::path::absolute(rules).with_context(|| format!("{} cannot be found", rules.display()))?;
        command.extend(["--rules".into(), rules.into()]);
    }
    // Instances listen for this machine only; who may come from elsewhere, and by which name, is decided in front.
    let any = (!balancer.ip().is_loopback()).then(|| "*".to_owned());
    for host in flags.access.allow_hosts.iter().cloned().chain(any) {
        command.extend(["--allow-host".into(), host.into()]);
    }
    Ok(command)
}
