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
    assert_eq!(bad.len(), 9);
    for file in bad {
        let expected = std::fs::read_to_string(file.with_extension("expected")).unwrap();
        let (code, said) = check(&file);
        let said = said.replace(file.to_str().unwrap(), "FILE");
        assert_eq!((code, said.trim()), (Some(2), expected.trim()), "{}", file.display());
    }
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
        ("worker_connections", "16384"),
        ("client_header_timeout", "1m"),
        ("client_max_body_size", "no bound"),
        ("buffer_requests", "64KiB"),
        ("client_read_min_rate", "500B/s"),
        ("read_timeout", "1m"),
        ("queue", "1024"),
        ("limit_req", "no bound"),
        ("HTTP/2 in a second: resets", "200"),
        ("HTTP/2 in a second: pings", "100"),
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
    assert!(value("files open for answers").unwrap().parse::<usize>().unwrap() > 0);
    let limited = bounds("limit_req = { rate = \"10r/s\" }");
    assert_eq!((limited.get("limit_req"), limited.contains_key("limit_req of all requests")), (None, true));
    assert_eq!(value("memory: answers being compressed"), None);
    assert_eq!(bounds("compress = true")["memory: answers being compressed"], "259MiB");
    let small = bounds("worker_connections = 100\nbuffer_requests = \"0\"");
    assert_eq!(small["memory: clients that wait"], "400KiB");
    assert!(small["memory: all of it at most"].ends_with("MiB"), "{small:?}");
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
