use std::{fs, os::unix::fs::symlink, path::Path};

use tempfile::TempDir;

use super::*;

/// A folder with these files, each with a line in it.
fn folder(files: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "a line\n").unwrap();
    }
    folder
}

/// Paths below the folder.
fn relative(found: &[PathBuf], folder: &Path) -> Vec<String> {
    found.iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
}

#[test]
fn a_folder_is_its_files_at_any_depth_in_the_order_of_rotation() {
    let folder = folder(&["b/x.log", "b/x.log.1", "b/x.log.2.gz", "a.log", "b/c/d/e.log", ".hidden/f.log", "b/.g.log"]);
    fs::write(folder.path().join("empty.log"), "").unwrap();
    let mut search = Search::new(false);
    let found = relative(&search.folder(folder.path()), folder.path());
    assert_eq!(found, ["a.log", "b/c/d/e.log", "b/x.log.2.gz", "b/x.log.1", "b/x.log"]);
    assert_eq!(search.passed_over(), PassedOver { hidden: 2, empty: 1, ..PassedOver::default() });
    assert_eq!(Search::new(true).folder(folder.path()).len(), 7);
}

#[test]
fn links_that_lead_in_circles_end_and_a_file_with_two_names_is_one() {
    let folder = folder(&["a/x.log"]);
    symlink(folder.path(), folder.path().join("a/up")).unwrap();
    symlink(folder.path().join("a/x.log"), folder.path().join("z.log")).unwrap();
    fs::hard_link(folder.path().join("a/x.log"), folder.path().join("a/y.log")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    let mut search = Search::new(false);
    assert_eq!(search.folder(folder.path()).len(), 1);
    assert_eq!(search.problems().len(), 1, "{:?}", search.problems());
    assert!(search.problems()[0].contains("dangling: cannot be looked at"), "{:?}", search.problems());
}

#[test]
fn what_may_have_no_end_is_not_taken() {
    let folder = folder(&["x.log"]);
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let mut search = Search::new(false);
    assert_eq!(search.folder(folder.path()).len(), 1);
    assert_eq!(search.passed_over().special, 1);
}

#[test]
fn a_glob_finds_files_and_folders_and_two_stars_any_depth() {
    let folder = folder(&["a/x.log", "a/b/y.log", "a/b/c/z.log", "a/b/c/z.txt", "a/.old/w.log"]);
    let glob = |pattern: &str| {
        let found = Search::new(false).glob(&folder.path().join(pattern).display().to_string()).unwrap();
        relative(&found, folder.path())
    };
    assert_eq!(glob("a/*.log"), ["a/x.log"]);
    assert_eq!(glob("a/**/*.log"), ["a/b/c/z.log", "a/b/y.log", "a/x.log"]);
    assert_eq!(glob("a/*/c"), ["a/b/c/z.log", "a/b/c/z.txt"]);
    assert_eq!(glob("a/{x,b/y}.log"), ["a/b/y.log", "a/x.log"]);
    assert_eq!(glob("a/.old/*"), ["a/.old/w.log"]);
    assert_eq!(glob("a/*/.*"), Vec::<String>::new());
    assert_eq!(glob("a/.*/*"), ["a/.old/w.log"]);
    assert_eq!(glob("none/*.log"), Vec::<String>::new());
    assert!(Search::new(false).glob("a[.log").unwrap_err().starts_with("a[.log: "));
}
