use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use super::{Authority, speaking};
use crate::{harness::Balancer, upstream::Upstream};

/// Runs a client that somebody else has written. Where it is not installed the test is left out, and says so; in CI it
/// has to be there.
pub(crate) fn run(command: &mut Command, package: &str, input: &str) -> Option<Output> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        let missing = format!("{} is not installed (Debian: {package})", command.get_program().display());
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{missing}");
        eprintln!("left out: {missing}");
        return None;
    };
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    Some(child.wait_with_output().unwrap())
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

struct Scene {
    authority: Authority,
    balancer: Balancer,
    _upstream: Upstream,
}

fn scene() -> Scene {
    let (authority, upstream) = (Authority::new(), Upstream::saying("hi"));
    let own = authority.sign("own", &["localhost"]);
    let balancer = speaking(&upstream, &[&own], &[]);
    Scene { authority, balancer, _upstream: upstream }
}

#[test]
fn curl_gets_an_answer_over_tls() {
    let scene = scene();
    // Each is offered by its name.
    for version in ["--http1.0", "--http1.1", "--http2"] {
        let mut curl = Command::new("curl");
        curl.args(["-sS", version, "--cacert"]).arg(scene.authority.root());
        let urls = format!("https://localhost:{}/[1-3]", scene.balancer.tls.port());
        let Some(output) = run(curl.arg(urls), "curl", "") else { return };
        assert_eq!(text(&output).matches("hi").count(), 3, "{version}: {}", text(&output));
    }
}

#[test]
fn openssl_speaks_two_versions_with_it_and_no_older_ones() {
    let scene = scene();
    let address = scene.balancer.tls.to_string();
    let ask = |flags: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-verify_return_error", "-connect", &address, "-servername", "localhost"]);
        openssl.args(["-cipher", "ALL:@SECLEVEL=0", "-CAfile"]).arg(scene.authority.root()).args(flags);
        run(&mut openssl, "openssl", "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let Some(output) = ask(&[version]) else { return };
        assert!(text(&output).contains("HTTP/1.1 200 OK"), "{version}: {}", text(&output));
    }
    for refused in [&["-tls1"][..], &["-tls1_1"], &["-alpn", "h3"]] {
        let said = text(&ask(refused).unwrap());
        assert!(!said.contains("HTTP/1.1") && said.contains("alert"), "{refused:?}: {said}");
    }
}

#[test]
fn openssl_is_told_at_once_that_nothing_is_negotiated_again() {
    let scene = scene();
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-tls1_2", "-connect", &scene.balancer.tls.to_string()]);
    // Its command for that.
    let Some(output) = run(&mut openssl, "openssl", "R\n") else { return };
    assert!(text(&output).contains("no renegotiation"), "{}", text(&output));
}

#[test]
fn sslyze_finds_nothing() {
    let scene = scene();
    let mut sslyze = Command::new(std::env::var_os("SSLYZE").unwrap_or_else(|| "sslyze".into()));
    sslyze.arg("--certinfo_ca_file").arg(scene.authority.root());
    let target = format!("localhost:{}", scene.balancer.tls.port());
    let Some(output) = run(sslyze.arg(target), "python3-venv, then pip install sslyze", "") else { return };
    assert!(text(&output).contains("OK - Compliant"), "{}", text(&output));
}
