use std::{
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
