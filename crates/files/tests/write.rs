//! Writing to every kind of path, in a temporary folder.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use std::fs;
use std::io::{Read, Result, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

fn write(path: &Path, content: &[u8]) -> Result<()> {
    files::write(path, |to| to.write_all(content))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn a_new_file_has_the_usual_permissions_and_an_existing_one_keeps_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (path, usual) = (folder.path().join("a"), folder.path().join("usual"));
    write(&path, b"first").unwrap();
    fs::write(&usual, b"").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode(), fs::metadata(&usual).unwrap().mode());
    for mode in [0o600, 0o640, 0o755, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        write(&path, format!("{mode:o}").as_bytes()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{mode:o}"));
    }
    assert_eq!(names(folder.path()), ["a", "usual"]);
}

#[test]
fn links_are_followed_and_stay_links() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("deep")).unwrap();
    fs::write(at("deep/target"), b"old").unwrap();
    symlink("deep/target", at("first")).unwrap();
    symlink("first", at("second")).unwrap();
    symlink("deep/missing", at("dangling")).unwrap();
    symlink("deep/../dangling", at("chain")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere/file", at("astray")).unwrap();
    write(&at("second"), b"new").unwrap();
    assert_eq!(fs::read(at("deep/target")).unwrap(), b"new");
    write(&at("chain"), b"made").unwrap();
    assert_eq!(fs::read(at("deep/missing")).unwrap(), b"made");
    for link in ["first", "second", "dangling", "chain"] {
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
    }
    assert!(write(&at("loop"), b"x").is_err());
    assert!(write(&at("astray"), b"x").is_err());
    assert_eq!(names(&at("deep")), ["missing", "target"]);
}

#[test]
fn a_fifo_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("fifo"), folder.path().join("link"));
    assert!(run("mkfifo", &[path.to_str().unwrap()]));
    symlink("fifo", &link).unwrap();
    for to in [&path, &link] {
        let from = path.clone();
        let reader = std::thread::spawn(move || {
            let mut content = Vec::new();
            fs::File::open(from).unwrap().read_to_end(&mut content).unwrap();
            content
        });
        let content = vec![7; 300_000];
        write(to, &content).unwrap();
        assert_eq!(reader.join().unwrap(), content);
    }
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    assert_eq!(files::regular(&path).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_device_is_written_to_and_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    let (null, block) = (folder.path().join("null"), folder.path().join("block"));
    // Only root may make them, and not in every container.
    if run("mknod", &[null.to_str().unwrap(), "c", "1", "3"]) && fs::OpenOptions::new().write(true).open(&null).is_ok()
    {
        write(&null, b"content").unwrap();
        assert!(fs::symlink_metadata(&null).unwrap().file_type().is_char_device());
    }
    if run("mknod", &[block.to_str().unwrap(), "b", "240", "200"]) {
        assert!(write(&block, b"content").unwrap_err().to_string().contains("block device"));
    }
}

#[test]
fn an_open_file_by_its_number_is_appended_to() {
    use std::os::fd::AsRawFd;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"before ").unwrap();
    let number = format!("/proc/self/fd/{}", file.as_raw_fd());
    if fs::metadata(&number).is_ok() {
        write(Path::new(&number), b"content").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), file.metadata().unwrap().ino());
        assert_eq!(fs::read(&path).unwrap(), b"before content");
    }
}

#[test]
fn what_cannot_be_written_is_an_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    symlink("folder", at("link")).unwrap();
    fs::write(at("file"), b"old").unwrap();
    let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    for wrong in ["folder", "link", "folder/", "new/", "missing/a", "file/a", "socket", "", "a\0b"] {
        let path = if wrong.is_empty() { "".into() } else { at(wrong) };
        assert!(write(&path, b"x").is_err(), "{wrong}");
    }
    let failed = files::write(&at("file"), |to| {
        to.write_all(b"half")?;
        Err(std::io::Error::other("stopped"))
    });
    assert_eq!(failed.unwrap_err().to_string(), "stopped");
    assert_eq!(fs::read(at("file")).unwrap(), b"old");
    assert!(fs::symlink_metadata(at("socket")).unwrap().file_type().is_socket());
    drop(socket);
    assert_eq!(names(folder.path()), ["file", "folder", "link", "socket"]);
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_is_being_written_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mine = [".net.trt2.abcdefgh.torch2trt-tmp", ".net.trt2.12345678.torch2trt-tmp"];
    let others =
        [".net.trt2.abc.torch2trt-tmp", ".net.abcdefgh.torch2trt-tmp", ".net.trt2.abcdefgh", "net.trt2.torch2trt-tmp"];
    for name in mine.iter().chain(&others) {
        fs::write(at(name), b"left").unwrap();
    }
    let path = at("net.trt2");
    files::write(&path, |to| {
        to.write_all(b"outer")?;
        write(&path, b"inner")?;
        assert_eq!(fs::read(&path)?, b"inner");
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"outer");
    let mut expected = [&others[..], &["net.trt2"]].concat();
    expected.sort_unstable();
    assert_eq!(names(folder.path()), expected);
}

#[test]
fn writers_at_once_leave_one_of_their_contents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared");
    std::thread::scope(|scope| {
        for k in 0..8u8 {
            let path = &path;
            scope.spawn(move || (0..20).for_each(|_| write(path, &vec![k; 5000]).unwrap()));
        }
    });
    let content = fs::read(&path).unwrap();
    assert!(content.len() == 5000 && content.iter().all(|byte| *byte == content[0]));
    assert_eq!(names(folder.path()), ["shared"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn any_name_can_be_written(name in "[^/\0]{1,80}", content in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assume!(name != "." && name != ".." && name.len() <= 255);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(&name);
        for _ in 0..2 {
            write(&path, &content).unwrap();
            prop_assert_eq!(fs::read(&path).unwrap(), content.clone());
        }
        prop_assert_eq!(names(folder.path()), [name]);
    }
}
