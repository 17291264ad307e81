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
