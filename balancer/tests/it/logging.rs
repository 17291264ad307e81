use rustix::process::Signal;

use crate::{
    harness::{Balancer, eventually},
    upstream::Upstream,
};

#[test]
fn the_access_log_is_opened_anew_on_request() {
    let (upstream, folder) = (Upstream::saying("hi"), tempfile::tempdir().unwrap());
    let [log, old] = ["access.log", "access.log.1"].map(|name| folder.path().join(name));
    let mut balancer = Balancer::with(&[upstream.address], &["--access-log", log.to_str().unwrap()]);
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    balancer.get("/first");
    eventually("the line is written", || read(&log).contains("/first").then_some(()));
    std::fs::rename(&log, &old).unwrap();
    balancer.signal(Signal::USR1);
    eventually("there is a new file", || log.exists().then_some(()));
    // It has its name a moment before it is written to.
    eventually("it is said", || balancer.log().contains("is opened anew").then_some(()));
    balancer.get("/second");
    assert_eq!(balancer.stop(), Some(0));
    assert!(read(&log).contains("/second") && !read(&old).contains("/second"), "{}", read(&old));
}

#[test]
fn a_line_has_the_form_of_the_file_and_nobody_forges_one() {
    let (upstream, folder) = (Upstream::saying("hi"), tempfile::tempdir().unwrap());
    let [log, file] = ["access.log", "balancer.toml"].map(|name| folder.path().join(name));
    let form = "$remote_addr|$request|$status|$http_user_agent|$request_id";
    let text = format!(
        "access_log_format = '{form}'\n[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{}\"\n",
        upstream.address
    );
    std::fs::write(&file, text).unwrap();
    let flags = ["--config", file.to_str().unwrap(), "--access-log", log.to_str().unwrap()];
    let mut balancer = Balancer::run(&flags);
    let mut client = balancer.connect();
    client.send(b"GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: x\" 200\\ y\r\n\r\n");
    let answer = client.answer();
    assert_eq!(balancer.stop(), Some(0));
    let id = answer.field("x-request-id").unwrap();
    let expected = format!("127.0.0.1|GET /a HTTP/1.1|200|x\\x22 200\\x5C y|{id}\n");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), expected);
}
