//! Backends by name, with a name server of our own.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    config::check_text,
    harness::{Balancer, eventually},
    upstream::Upstream,
};

/// What is said of a name.
#[derive(Clone)]
enum Reply {
    /// Last bytes of addresses in 127.0.0.0/8, and for how many seconds they hold. There are none of IPv6.
    Holds(u32, Vec<u8>),
    /// To questions for addresses of IPv4, and to those of IPv6, whose first bytes are 0.
    Each(Box<[Reply; 2]>),
    /// The first name is another one, for so many seconds, which has an address for an hour.
    Alias(u32, u8),
    /// An error, by its number (RFC 1035, 4.1.1).
    Code(u8),
    /// The same, once so many names have been asked for.
    Late(usize, u8),
    Silence,
}

use Reply::{Alias, Code, Each, Holds, Late, Silence};

/// A name server; its threads end with the process.
struct NameServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    replies: HashMap<String, Reply>,
    /// Questions for addresses of IPv4.
    asked: HashMap<String, usize>,
    /// Whether answers fit into no datagram.
    is_long: bool,
}

impl NameServer {
    fn saying<const N: usize>(replies: [(&str, Reply); N]) -> Self {
        let (udp, tcp) = std::iter::repeat_with(|| {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            (UdpSocket::bind(tcp.local_addr().unwrap()), tcp)
        })
        .find_map(|(udp, tcp)| Some((udp.ok()?, tcp)))
        .unwrap();
        let address = tcp.local_addr().unwrap();
        let replies = replies.map(|(name, reply)| (name.to_owned(), reply)).into();
        let state = Arc::new(Mutex::new(State { replies, ..State::default() }));
        let (over_udp, over_tcp) = (Arc::clone(&state), Arc::clone(&state));
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut question) {
                if let Some(answer) = over_udp.lock().unwrap().answer(&question[..length], true) {
                    udp.send_to(&answer, from).unwrap();
                }
            }
        });
        thread::spawn(move || {
            for mut stream in tcp.incoming().flatten() {
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                    stream.read_exact(&mut question).unwrap();
                    if let Some(answer) = over_tcp.lock().unwrap().answer(&question, false) {
                        let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                        stream.write_all(&[&length[..], &answer].concat()).unwrap();
                    }
                }
            }
        });
        Self { address, state }
    }

    fn say(&self, name: &str, reply: Reply) {
        self.state.lock().unwrap().replies.insert(name.to_owned(), reply);
    }

    fn asked(&self, name: &str) -> usize {
        self.state.lock().unwrap().asked.get(name).copied().unwrap_or_default()
    }

    /// A balancer that asks it, with these lines under `[pool]`, for backends at these names.
    fn balancer(&self, pool: &str, names: &[(&str, u16)]) -> Balancer {
        let servers: Vec<String> = names.iter().map(|(name, port)| format!("address = \"{name}:{port}\"")).collect();
        Balancer::with_servers(&format!("resolver = [\"{}\"]\n{pool}", self.address), &servers)
    }
}

impl State {
    /// The answer to a question (RFC 1035, 4).
    fn answer(&mut self, question: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
        let (mut at, mut labels) = (12, Vec::new());
        while question[at] > 0 {
            let end = at + 1 + usize::from(question[at]);
            labels.push(String::from_utf8(question[at + 1..end].to_vec()).unwrap());
            at = end;
        }
        let (name, asked) = (labels.join("."), &question[12..at + 5]);
        let is_ipv4 = question[at + 2] == 1;
        if is_ipv4 {
            *self.asked.entry(name.clone()).or_default() += 1;
        }
        let record = |pointer: u8, kind: u8, seconds: u32, data: &[u8]| {
            let length = u16::try_from(data.len()).unwrap();
            [&[0xc0, pointer, 0, kind, 0, 1], &seconds.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
        };
        let address = |last: u8| Ipv4Addr::new(127, 0, 0, last).octets();
        let (reply, is_split) = match self.replies.get(&name).unwrap_or(&Code(3)) {
            Each(replies) => (&replies[usize::from(!is_ipv4)], true),
            reply => (reply, false),
        };
        let (code, records) = match reply {
            Silence => return None,
            Late(names, _) if self.asked.len() < *names => return None,
            Code(code) | Late(_, code) => (*code, Vec::new()),
            Alias(seconds, last) if is_ipv4 => {
                // The other name is the labels behind the first one; the first record begins behind the question.
                let first = record(12, 5, *seconds, &[0xc0, 13 + question[12]]);
                (0, vec![first, record(13 + question[12], 1, 3600, &address(*last))])
            }
            Holds(seconds, lasts) if is_ipv4 => {
                (0, lasts.iter().map(|last| record(12, 1, *seconds, &address(*last))).collect())
            }
            Holds(seconds, lasts) if is_split => {
                let address = |last: u8| [&[0; 15][..], &[last]].concat();
                (0, lasts.iter().map(|last| record(12, 28, *seconds, &address(*last))).collect())
            }
            _ => (0, Vec::new()),
        };
        let is_cut = self.is_long && is_datagram && !records.is_empty();
        let records = if is_cut { Vec::new() } else { records };
        let flags = [0x85 | u8::from(is_cut) << 1, 0x80 | code];
        let counts = [0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0];
        Some([&question[..2], &flags, &counts, asked, &records.concat()].concat())
    }
}

/// Backends that say `a` and `b`, at 127.0.0.1 and 127.0.0.2 and the same port.
fn neighbours() -> ([Upstream; 2], u16) {
    let pair = std::iter::repeat_with(|| {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        Some((first, TcpListener::bind(("127.0.0.2", port)).ok()?, port))
    });
    let (first, second, port) = pair.flatten().next().unwrap();
    ([Upstream::saying_at(first, "a"), Upstream::saying_at(second, "b")], port)
}

fn eventually_says(balancer: &Balancer, text: &str) {
    eventually(text, || (balancer.get("/").text() == text).then_some(()));
}

#[test]
fn a_name_is_looked_up_again_when_its_time_to_live_is_over() {
    let (_upstreams, port) = neighbours();
    let server = NameServer::saying([("short.test", Holds(1, vec![1])), ("long.test", Holds(3600, vec![1]))]);
    let balancer = server.balancer("", &[("short.test", port)]);
    let other = server.balancer("", &[("long.test", port)]);
    assert_eq!((balancer.get("/").text(), other.get("/").text()), ("a", "a"));
    let asked = server.asked("long.test");
    server.say("short.test", Holds(1, vec![2]));
    server.say("long.test", Holds(3600, vec![2]));
    eventually_says(&balancer, "b");
    let left = format!("short.test/127.0.0.1:{port} has left");
    eventually("the old one leaves", || balancer.log().contains(&left).then_some(()));
    assert_eq!((server.asked("long.test"), other.get("/").text()), (asked, "a"));
}

#[test]
fn the_operator_may_say_how_long_a_name_holds() {
    let (_upstreams, port) = neighbours();
    let server = NameServer::saying([("app.test", Holds(3600, vec![1]))]);
    let balancer = server.balancer("resolve = \"20ms\"", &[("app.test", port)]);
    assert_eq!(balancer.get("/").text(), "a");
    server.say("app.test", Holds(3600, vec![2]));
    eventually_says(&balancer, "b");
}

#[test]
fn a_time_to_live_that_is_too_large_is_none() {
    let (_upstreams, port) = neighbours();
    let server = NameServer::saying([("app.test", Holds(1 << 31, vec![1]))]);
    let balancer = server.balancer("", &[("app.test", port)]);
    assert_eq!(balancer.get("/").text(), "a");
    server.say("app.test", Holds(1 << 31, vec![2]));
    eventually_says(&balancer, "b");
}

#[test]
fn an_alias_holds_no_longer_than_any_of_its_records() {
    let (_upstreams, port) = neighbours();
    let server = NameServer::saying([("app.other.test", Alias(1, 1))]);
    let balancer = server.balancer("", &[("app.other.test", port)]);
    assert_eq!(balancer.get("/").text(), "a");
    server.say("app.other.test", Alias(1, 2));
    eventually_says(&balancer, "b");
}

#[test]
fn a_long_answer_is_fetched_over_tcp() {
    let (_upstreams, port) = neighbours();
    let server = NameServer::saying([("app.test", Holds(3600, (1..=100).map(|_| 2).collect()))]);
    server.state.lock().unwrap().is_long = true;
    assert_eq!(server.balancer("", &[("app.test", port)]).get("/").text(), "b");
}

#[test]
fn while_a_name_cannot_be_looked_up_its_backends_stay() {
    for (odd, why) in
        [(Code(2), "Server Failure"), (Code(3), "no name server knows it"), (Holds(1, vec![]), "it has no address")]
    {
        let (_upstreams, port) = neighbours();
        let server = NameServer::saying([("app.test", Holds(1, vec![1]))]);
        let balancer = server.balancer("", &[("app.test", port)]);
        assert_eq!(balancer.get("/").text(), "a");
        server.say("app.test", odd);
        let told = format!("app.test:{port} cannot be looked up: ");
        eventually(why, || balancer.log().contains(&told).then_some(()));
        assert!(balancer.log().contains(&format!("{why}; its addresses stay what they were")), "{}", balancer.log());
        assert_eq!(balancer.get("/").text(), "a");
        server.say("app.test", Holds(1, vec![2]));
        eventually_says(&balancer, "b");
        let again = format!("app.test:{port} can be looked up again");
        eventually(&again, || balancer.log().contains(&again).then_some(()));
        assert_eq!(balancer.log().matches("cannot be looked up").count(), 1, "{}", balancer.log());
    }
}

#[test]
fn while_one_family_cannot_be_looked_up_its_backends_stay_and_the_other_is_followed() {
    for (family, odd, why) in [("IPv4", 0, "Server Failure"), ("IPv6", 1, "Query Refused")] {
        let both = |lasts: [u8; 2]| lasts.map(|last| Holds(1, vec![last]));
        let server = NameServer::saying([("app.test", Each(Box::new(both([1, 1]))))]);
        let balancer = server.balancer("resolve = \"20ms\"", &[("app.test", 80)]);
        let logs = |text: &str| eventually(text, || balancer.log().contains(text).then_some(()));
        let left = ["app.test/127.0.0.1:80 has left", "app.test/[::1]:80 has left"];
        let mut replies = both([2, 2]);
        replies[odd] = Code([2, 5][odd]);
        server.say("app.test", Each(Box::new(replies)));
        logs(left[1 - odd]);
        let told = format!("the {family} addresses of app.test:80 cannot be looked up: ");
        logs(&told);
        assert!(balancer.log().contains(&format!("{why}; they stay what they were")), "{}", balancer.log());
        server.say("app.test", Each(Box::new(both([2, 2]))));
        logs(&format!("the {family} addresses of app.test:80 can be looked up again"));
        logs(left[odd]);
        let log = balancer.log();
        assert!(log.find(&told) < log.find(left[odd]), "{log}");
        assert_eq!(log.matches(&told).count(), 1, "{log}");
    }
}

#[test]
fn each_outage_of_one_family_is_told_where_the_other_cannot_be_looked_up_at_all() {
    let say = |ipv4| Each(Box::new([ipv4, Code(2)]));
    let server = NameServer::saying([("app.test", say(Holds(1, vec![1])))]);
    let balancer = server.balancer("resolve = \"20ms\"", &[("app.test", 80)]);
    let logs = |text: &str, times| {
        eventually(text, || (balancer.log().matches(text).count() == times).then_some(()));
    };
    for outage in 1..=2 {
        server.say("app.test", say(Code(2)));
        logs("the IPv4 addresses of app.test:80 cannot be looked up: ", outage);
        server.say("app.test", say(Holds(1, vec![1])));
        logs("the IPv4 addresses of app.test:80 can be looked up again", outage);
    }
    logs("the IPv6 addresses of app.test:80 cannot be looked up: ", 1);
    logs("app.test:80 can be looked up again", 2);
}

#[test]
fn a_family_that_is_not_there_leaves() {
    let both = |odd| Each(Box::new([Holds(1, vec![1]), odd]));
    for odd in [Code(3), Holds(1, vec![])] {
        let server = NameServer::saying([("app.test", both(Holds(1, vec![1])))]);
        let balancer = server.balancer("resolve = \"20ms\"", &[("app.test", 80)]);
        server.say("app.test", both(odd));
        let left = "app.test/[::1]:80 has left";
        eventually(left, || balancer.log().contains(left).then_some(()));
        assert!(!balancer.log().contains("cannot be looked up"), "{}", balancer.log());
    }
}

#[test]
fn the_next_name_server_is_asked_where_one_is_mute() {
    let (_upstreams, port) = neighbours();
    let [mute, server] = [Silence, Holds(3600, vec![1])].map(|reply| NameServer::saying([("app.test", reply)]));
    let servers = format!("resolver = [\"{}\", \"{}\"]", mute.address, server.address);
    let balancer = Balancer::with_servers(&servers, &[format!("address = \"app.test:{port}\"")]);
    assert_eq!(balancer.get("/").text(), "a");
}

#[test]
fn a_name_that_nobody_knows_is_told_at_the_start() {
    let server = NameServer::saying([("empty.test", Holds(60, vec![])), ("broken.test", Code(2))]);
    for (name, why) in [
        ("none.test", "no name server knows it"),
        ("empty.test", "it has no address"),
        ("broken.test", "DNS error: error response: Server Failure"),
    ] {
        let text = format!(
            "[[listen]]\naddress = \"127.0.0.1:0\"\n[pool]\nresolver = [\"{}\"]\n[[pool.server]]\naddress = \"{name}:80\"\n",
            server.address
        );
        let expected = format!(
            "logkin-balancer: FILE:6:11: pool.server[0].address: `{name}:80` cannot be looked up: {why}; check the name, write its IP \
             address, or name who knows it in `resolver`\n"
        );
        assert_eq!(check_text(&text), (Some(2), expected));
    }
}

#[test]
fn a_name_that_no_host_can_have_is_told_at_the_start_with_what_to_write() {
    for (name, why) in [
        ("a..b", "there is nothing before one of its dots; leave that dot out"),
        ("-a", "`-a` begins with -; write a letter or a digit there"),
        ("::1", "an IPv6 address before a port has brackets; write [::1] and the port"),
    ] {
        let text = format!("[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"{name}:8901\"\n");
        let expected =
            format!("logkin-balancer: FILE:4:11: pool.server[0].address: `{name}:8901` names no host: {why}\n");
        assert_eq!(check_text(&text), (Some(2), expected));
    }
}

#[test]
fn names_are_looked_up_at_the_same_time_and_told_in_the_order_of_the_file() {
    // Nobody gets an answer before all have asked.
    let server = NameServer::saying(["a.test", "b.test", "c.test"].map(|name| (name, Late(3, 2))));
    let backend = |name| format!("[[pool.server]]\naddress = \"{name}.test:80\"\n");
    let pool = |name, backends: String| {
        format!("[[pool]]\nname = \"{name}\"\nresolver = [\"{}\"]\n{backends}", server.address)
    };
    let pools = [pool("first", backend("a") + &backend("b")), pool("second", backend("c"))].concat();
    let route = |name| format!("[[route]]\nlocation = \"/{name}/\"\npool = \"{name}\"\n");
    let routes = route("first") + &route("second");
    let (code, told) = check_text(&format!("[[listen]]\naddress = \"127.0.0.1:0\"\n{pools}{routes}"));
    let lines: Vec<&str> = told.lines().collect();
    let places = ["pool[0].server[0]", "pool[0].server[1]", "pool[1].server[0]"];
    assert_eq!((code, lines.len()), (Some(2), 3), "{told}");
    for ((line, place), name) in lines.iter().zip(places).zip(["a", "b", "c"]) {
        let expected = format!(
            "{place}.address: `{name}.test:80` cannot be looked up: DNS error: error response: Server Failure;"
        );
        assert!(line.contains(&expected), "{told}");
    }
}

#[test]
fn backends_of_flags_are_told_together_too() {
    let backends = ["a.invalid.:80", "127.0.0.1:1 weight=0", "b.invalid.:80"];
    let flags = backends.iter().flat_map(|backend| ["--backend", backend]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"));
    let output = command.args(["run", "--listen", "127.0.0.1:0"]).args(flags).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{told}"));
    let places = [
        at("--backend a.invalid.:80: address: `a.invalid.:80` cannot"),
        at("weight=0: weight: 0 is"),
        at("--backend b.invalid.:80: "),
    ];
    assert!(places.is_sorted(), "{told}");
}
