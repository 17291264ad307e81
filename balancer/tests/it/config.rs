use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

/// The TOML files of a folder of this package.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    files
}

fn check(file: &Path) -> (Option<i32>, String) {
    // The examples name a certificate and a folder, beside which they are checked.
    let authority = crate::tls::Authority::new();
    authority.sign("site", &["shop.example"]);
    std::fs::create_dir(authority.folder.path().join("public")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"))
        .args(["check", "--config"])
        .arg(file)
        .current_dir(&authority.folder)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_example_is_fine() {
    let examples = files("examples");
    assert_eq!(examples.len(), 5);
    for example in examples {
        assert_eq!(check(&example), (Some(0), String::new()), "{}", example.display());
    }
}

#[test]
fn every_bad_file_is_refused_with_all_that_is_wrong() {
    let bad = files("tests/it/config/bad");
    assert_eq!(bad.len(), 13);
    for file in bad {
        let expected = std::fs::read_to_string(file.with_extension("expected")).unwrap();
        let (code, said) = check(&file);
        let said = said.replace(file.to_str().unwrap(), "FILE");
        assert_eq!((code, said.trim()), (Some(2), expected.trim()), "{}", file.display());
    }
}

#[test]
fn nobody_starts_in_front_of_itself() {
    let flags = ["--listen", "0.0.0.0:1", "--backend", "127.0.0.1:1"];
    let said = crate::harness::Balancer::try_run(&flags, Path::new("/tmp")).err().unwrap();
    assert!(said.contains("backend: 127.0.0.1:1 is where we listen (0.0.0.0:1)"), "{said}");
}

/// What `check` prints of a file with these lines at its beginning, by name.
fn bounds(lines: &str) -> BTreeMap<String, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let rest = "[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"127.0.0.1:1\"\n";
    std::fs::write(file.path(), format!("worker_threads = 2\n{lines}\n{rest}")).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"));
    let output = check.args(["check", "--config"]).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let split = |line: &str| {
        let mut columns = line.split("  ").map(str::trim).filter(|column| !column.is_empty());
        Some((columns.next()?.to_owned(), columns.next()?.to_owned()))
    };
    text.lines().filter_map(split).collect()
}

#[test]
fn check_prints_every_bound_and_the_memory_that_follows() {
    let usual = bounds("");
    let value = |name: &str| usual.get(name).map(String::as_str);
    for (name, expected) in [
        ("client_header_timeout", "1m"),
        ("client_max_body_size", "no bound"),
        ("buffer_requests", "64KiB"),
        ("client_read_min_rate", "500B/s"),
        ("read_timeout", "1m"),
        ("queue", "1024"),
        ("limit_req", "no bound"),
        ("HTTP/2 in a second: resets", "200"),
        ("HTTP/2 in a second: pings", "100"),
        ("fields of an answer's head", "256"),
        ("interim answers before an answer", "8"),
        ("trailers of a body", "8KiB"),
        ("max_fails", "3"),
        ("fail_timeout", "10s"),
        ("resolve", "time to live"),
        ("memory: bodies waited for", "129MiB"),
    ] {
        assert_eq!(value(name), Some(expected), "{name}: {usual:?}");
    }
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md")).unwrap();
    let keys = usual.keys().filter(|name| !name.contains(' '));
    assert!(keys.clone().count() > 15);
    for key in keys {
        assert!(page.contains(&format!("`{}`", key.rsplit('.').next().unwrap())), "{key}");
    }
    let number = |name| value(name).unwrap().parse::<usize>().unwrap();
    // A quarter of all, and a half.
    let (files, clients) = (number("files open for answers"), number("worker_connections"));
    assert!(
        files > 0 && [2 * files, 2 * files + 1].map(|half| half.min(16384)).contains(&clients),
        "{files} {clients}"
    );
    let limited = bounds("limit_req = { rate = \"10r/s\" }");
    assert_eq!((limited.get("limit_req"), limited.contains_key("limit_req of all requests")), (None, true));
    assert_eq!(value("memory: answers being compressed"), None);
    assert_eq!(bounds("compress = true")["memory: answers being compressed"], "259MiB");
    assert_eq!(bounds("client_max_body_size = \"0\"")["client_max_body_size"], "no bound");
    let small = bounds("worker_connections = 100\nbuffer_requests = \"0\"");
    assert_eq!(small["memory: clients that wait"], "400KiB");
    assert!(small["memory: all of it at most"].ends_with("MiB"), "{small:?}");
}

/// A file with a pool and these lines, and what `check` says of it.
fn check_lines(lines: &str) -> (Option<i32>, String) {
    let rest = "[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"127.0.0.1:1\"\n";
    check_text(&format!("{lines}\n{rest}"))
}

/// What `check` says of a file with this text, which it calls FILE.
pub(crate) fn check_text(text: &str) -> (Option<i32>, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let (code, said) = check(file.path());
    (code, said.replace(file.path().to_str().unwrap(), "FILE"))
}

#[test]
fn what_is_suggested_for_a_number_without_quotes_is_taken() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md")).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("## The balancer's file"));
    // Keys of the file's top and of the pool whose default is a duration or a size.
    let is_text =
        |default: &str| default.ends_with(['s', 'h', 'B']) && default.starts_with(|one: char| one.is_ascii_digit());
    let mut seen = 0;
    for row in rows.filter(|line| line.starts_with("| `")) {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let (key, default) = (columns[1].rsplit('`').nth(1).unwrap(), columns[2].trim_matches('`'));
        let head = if columns[1].starts_with("`[pool]`") { "[pool]\n" } else { "" };
        if !is_text(default) || columns[1].starts_with("`[") && head.is_empty() {
            continue;
        }
        seen += 1;
        let (_, said) = check_lines(&format!("{head}{key} = 5"));
        let suggested = said.split_once("such as ").unwrap_or_else(|| panic!("{key}: {said}")).1.trim();
        assert!(said.contains(&format!("{}{key}: 5 is no text", if head.is_empty() { "" } else { "pool." })), "{said}");
        assert_eq!(check_lines(&format!("{head}{suggested}")).0, Some(0), "{suggested}");
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn a_deadline_of_nothing_is_refused_but_where_it_has_a_meaning() {
    for key in ["client_header_timeout", "client_body_patience", "client_read_patience", "tunnel_timeout"] {
        let (code, said) = check_lines(&format!("{key} = \"0s\""));
        let at = key.len() + 4;
        assert!(said.contains(&format!("FILE:1:{at}: {key}: 0 is no time; write some, such as ")), "{said}");
        assert_eq!(code, Some(2));
    }
    let tables = [
        ("[tls]\nhandshake_timeout", "tls.handshake_timeout"),
        ("[pool]\nconnect_timeout", "pool.connect_timeout"),
        ("[pool]\nread_timeout", "pool.read_timeout"),
        ("[pool]\nresolve", "pool.resolve"),
        ("[pool]\nnext_upstream_timeout", "pool.next_upstream_timeout"),
        ("[pool.health_check]\ninterval", "pool.health_check.interval"),
        ("[pool.health_check]\ntimeout", "pool.health_check.timeout"),
        ("[pool.sticky]\ncookie = \"a\"\nexpires", "pool.sticky.expires"),
        (
            "[[program]]\nname = \"a\"\ncommand = [\"a\", \"{socket}\"]\nports = [0]\nstart_timeout",
            "program[0].start_timeout",
        ),
    ];
    for (lines, key) in tables {
        let (code, said) = check_lines(&format!("{lines} = \"0ms\""));
        assert!(code == Some(2) && said.contains(&format!(": {key}: 0 is no time; write some, such as ")), "{said}");
    }
    let pool = ["keepalive_timeout", "fail_timeout", "slow_start", "queue_timeout"];
    let pool = pool.map(|key| format!("{key} = \"0s\"\n")).concat();
    assert_eq!(check_lines(&format!("shutdown_timeout = \"0s\"\n[pool]\n{pool}")), (Some(0), String::new()));
}

#[test]
fn sizes_are_read_as_everywhere_and_what_is_none_is_told_with_its_place() {
    assert_eq!(bounds("client_max_body_size = \"20MB\"")["client_max_body_size"], "20MiB");
    let (_, said) = check_lines("buffer_requests = \"1 lot\"\nclient_header_timeout = \"5\"");
    assert_eq!(
        said,
        "logkin-balancer: FILE:1:19: buffer_requests: `1 lot` is no size; write bytes, alone or with a unit, such as 64KiB, 10MB or 1GiB\n\
         FILE:2:25: client_header_timeout: `5` is no duration; write a whole number with ms, s, m or h, such as 30s\n"
    );
    let run = |limit: &str| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"));
        let output = run.args(["run", "--body-limit", limit]).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run("10MB").contains("there is no address to listen on"));
    assert!(run("1 lot").contains("`1 lot` is no size"));
}

#[test]
fn logs_that_cannot_be_written_are_told_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [good, lost, here] = [path("good.log"), path("nowhere/x.log"), path("")];
    let (code, said) = check_lines(&format!("access_log = \"{}\"", path("new/")));
    assert!(code == Some(2) && said.contains("new/ cannot be written: is a directory"), "{said}");
    let (code, said) = check_lines(&format!("access_log = \"{lost}\"\nerror_log = \"{here}\"\nworker_threads = 0"));
    assert_eq!(code, Some(2));
    for expected in [
        "worker_threads: 0 is too few".to_owned(),
        format!("FILE: access_log: {lost} cannot be written: No such file or directory"),
        format!("FILE: error_log: {here} cannot be written: is a directory"),
    ] {
        assert!(said.contains(&expected), "{expected}: {said}");
    }
    assert_eq!(check_lines(&format!("access_log = \"{good}\"")), (Some(0), String::new()));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_path_of_nothing_is_told_with_its_key() {
    let program = "[[program]]\nname = \"app\"\ncommand = [\"app\", \"{socket}\"]\nports = [0]\nlog_dir";
    for (line, told) in [
        ("access_log", "access_log: there is none; write the path of a file, or leave it out for none"),
        ("error_log", "error_log: there is none; write the path of a file, or leave it out for standard error"),
        ("[[route]]\nroot", "route[0].root: there is none; write the path of a folder, . for this one"),
        ("[[route]]\nalias", "route[0].alias: there is none; write the path of a folder, . for this one"),
        (program, "program[0].log_dir: there is none; write the path of a folder, or leave it out"),
        ("[[tls.certificate]]\nssl_certificate_key = \"a\"\nssl_certificate", "ssl_certificate: there is none"),
    ] {
        let (code, said) = check_lines(&format!("{line} = \"\""));
        assert!(code == Some(2) && said.contains(told), "{said}");
        let key = told.split(':').next().unwrap();
        assert_eq!(said.matches(key).count(), 1, "{said}");
    }
}

#[test]
fn two_logs_are_not_written_to_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let both = |one: &str, other: &str| check_lines(&format!("access_log = \"{one}\"\nerror_log = \"{other}\""));
    let path = folder.path().join("a.log").display().to_string();
    let (code, said) = both(&path, &path.replace("/a.log", "/./a.log"));
    assert_eq!(code, Some(2));
    assert!(said.contains("error_log: /") && said.contains("a.log is the access log's already; choose another file"));
    std::fs::write(&path, "").unwrap();
    let second = folder.path().join("b.log").display().to_string();
    std::fs::hard_link(&path, &second).unwrap();
    let (code, said) = both(&path, &second);
    assert!(code == Some(2) && said.contains("b.log is the access log's already; choose another file"), "{said}");
    assert_eq!(both("/dev/null", "/dev/null"), (Some(0), String::new()));
}

#[test]
fn a_folder_that_cannot_take_logs_of_a_program_is_told_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("file"), "").unwrap();
    std::os::unix::fs::symlink(path("nowhere"), path("link")).unwrap();
    let program = |name: &str, log_dir: &str| {
        format!(
            "[[program]]\nname = \"{name}\"\ncommand = [\"app\", \"{{socket}}\"]\nports = [0]\nlog_dir = \"{log_dir}\"\n"
        )
    };
    let good = [path(""), path("new"), path("new/below/that"), "relative/new".to_owned()];
    for good in &good {
        assert_eq!(check_lines(&program("app", good)), (Some(0), String::new()), "{good}");
    }
    let odd = [
        (path("file"), "not a directory"),
        (path("file/below"), "Not a directory"),
        (path("link"), "No such file"),
        (path("link/below"), "No such file"),
    ];
    for (bad, why) in &odd {
        let (code, said) = check_lines(&[program("good", &good[1]), program("bad", bad)].concat());
        assert_eq!(code, Some(2), "{bad}");
        assert!(said.contains(&format!("FILE: program[1].log_dir: {bad} cannot be written: {why}")), "{said}");
        assert!(said.contains("; choose another folder"), "{said}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 2, "nothing is made");
}

#[test]
fn a_certificate_that_is_no_good_is_told_with_file_and_key() {
    let authority = crate::tls::Authority::new();
    let ([pem, _], [_, key]) = (authority.sign("one", &["a.example"]), authority.sign("two", &["b.example"]));
    let files = format!("[[tls.certificate]]\nssl_certificate = \"{pem}\"\nssl_certificate_key = \"{key}\"\n");
    let (code, said) = check_lines(&format!("{files}[[listen]]\naddress = \"127.0.0.1:0\"\ntls = true"));
    assert_eq!(code, Some(2));
    assert!(said.contains(&format!("FILE: tls.certificate[0]: {pem} and {key} do not go together")), "{said}");
}

#[test]
fn an_address_that_flags_give_twice_is_no_other_programs() {
    let mut run = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"));
    let flags = ["run", "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1", "--backend", "127.0.0.1:2"];
    let output = run.args(flags).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.contains("listen: 127.0.0.1:1 is there twice")), (Some(2), true), "{said}");
}

#[test]
fn output_that_nobody_reads_ends_quietly_and_that_of_a_full_disk_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"127.0.0.1:1\"\n";
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap();
    let with_output = |arguments: &[&str], output: std::process::Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"));
        let output = command.args(arguments).stdout(output).stderr(std::process::Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for arguments in [&["check", "--config", path][..], &["--help"], &["--version"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(with_output(arguments, writer.into()), (Some(0), String::new()), "{arguments:?}");
        let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { continue };
        let (code, said) = with_output(arguments, full.into());
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(said.contains("the output cannot be written: No space left on device"), "{said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (code, said) = check(Path::new("/nowhere/at-all.toml"));
    assert_eq!(code, Some(2));
    assert!(said.contains("/nowhere/at-all.toml: cannot be read"), "{said}");
}

#[test]
fn flags_without_a_backend_say_what_is_missing() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_logkin-balancer")).args(["run", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("give --backend HOST:PORT or unix:PATH"));
}

#[test]
fn a_file_that_is_no_utf_8_and_a_route_that_is_no_list_are_told_as_such() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let problem = |bytes: &[u8]| {
        std::fs::write(file.path(), bytes).unwrap();
        let (code, said) = check(file.path());
        assert_eq!(code, Some(2), "{said}");
        said.replace(file.path().to_str().unwrap(), "FILE")
    };
    let said = problem(b"worker_threads = 1\n# caf\xe9\n");
    assert_eq!(said, "logkin-balancer: FILE:2: this is not UTF-8; save the file as UTF-8 text\n");
    let rest = "[[listen]]\naddress = \"127.0.0.1:0\"\n[[pool.server]]\naddress = \"127.0.0.1:1\"\n";
    let said = problem(format!("{rest}[route.request_headers]\nset = {{ X = \"a\" }}\n").as_bytes());
    assert!(
        said.contains(": route: ") && said.contains("is one table, and no list; write [[route]] ahead of it"),
        "{said}"
    );
}

#[test]
fn what_is_written_as_elsewhere_is_told_with_what_to_write_here() {
    for (text, way_out) in [
        ("[[listen]]\nclient_max_body_size = '10m'", "write it at the top of the file, ahead of the first bracket"),
        ("listen = '127.0.0.1:80'", "write [[listen]] and its keys below it"),
        ("listen = ['127.0.0.1:80']", "write [[listen]] and its keys below it, once for each"),
        ("[pool.server]\naddress = '127.0.0.1:80'", "[pool.server] is one table, and no list; write [[pool.server]]"),
        ("[[server]]\naddress = '127.0.0.1:80'", "write [[pool.server]] for a backend"),
        ("[[listen]]\ntls = true", "listen[0].address: there is none; write IP:PORT"),
        ("[[pool.server]]\nweight = 2", "pool.server[0].address: there is none; write HOST:PORT"),
        ("access_log = 'off'", "access_log: `off` would be a file; leave it out for none"),
        ("error_log = 'stderr'", "error_log: `stderr` would be a file; leave it out for standard error"),
        ("access_log_format = 'Combined'", "access_log_format: `Combined` has no variable; write combined, json, or"),
        ("worker_threads = 100000", "worker_threads: 100000 is more than 1024; leave it out"),
        ("[tls]\nhsts = 'max-age=60'", "tls: hsts is said over TLS only, and nobody listens for it"),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let (code, said) = check(file.path());
        assert!(code == Some(2) && said.contains(way_out), "{text}: {said}");
    }
}

#[test]
fn a_program_that_is_not_there_is_told_by_check() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let listen = "[[listen]]\naddress = \"127.0.0.1:0\"\n";
    for (program, is_there) in [("sh", true), ("/bin/sh", true), ("no-such-program", false), ("/etc/passwd", false)] {
        let program_of =
            format!("[[program]]\nname = \"a\"\ncommand = [\"{program}\", \"{{port}}\"]\nports = [8811]\n");
        std::fs::write(file.path(), format!("{listen}{program_of}")).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_logkin-balancer"));
        let output = check.args(["check", "--config"]).arg(file.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let told = said.contains(&format!("but program[0].command: there is no program `{program}` here"));
        assert_eq!((output.status.success(), told), (true, !is_there), "{program}: {said}");
    }
}
