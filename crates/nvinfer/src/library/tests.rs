//! Discovery, without a TensorRT: what is reported for each place.

use super::*;

fn only(path: &Path) -> Discovery {
    Discovery { path: Some(path.to_owned()), ..Discovery::default() }
}

fn search(discovery: &Discovery) -> Search {
    match Library::find(discovery) {
        Err(Error::NotFound(search)) => *search,
        other => panic!("expected a search, got {other:?}"),
    }
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("nvinfer-library-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_missing_file_is_reported() {
    let path = Path::new("/nowhere/libnvinfer.so.10");
    let search = search(&only(path));
    assert_eq!(search.places.len(), 1);
    assert_eq!(search.places[0].found, Found::Nothing);
    assert!(search.to_string().contains("/nowhere/libnvinfer.so.10 not found"), "{search}");
}

#[test]
fn a_file_that_is_no_library_is_reported_with_the_loaders_words() {
    let folder = scratch("text");
    std::fs::write(folder.join("libnvinfer.so.10"), "not an object file").unwrap();
    let search = search(&only(&folder));
    match &search.places[0].found {
        Found::NotLoadable(reason) => assert!(reason.contains("libnvinfer.so.10"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_library_is_reported_by_its_missing_symbol() {
    // Any shared library that every Linux has will do.
    let search = search(&only(Path::new(&libm())));
    assert_eq!(search.places[0].found, Found::MissingSymbol("getInferLibVersion".into()));
}

fn libm() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|l| l.contains("/libc.so")).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

#[test]
fn python_packages_are_looked_at_in_order() {
    let site = scratch("site");
    for package in ["tensorrt_rtx_libs", "tensorrt_libs", "tensorrt_lean_libs"] {
        std::fs::create_dir_all(site.join(package)).unwrap();
    }
    std::fs::write(site.join("tensorrt_libs/libnvinfer.so.10"), "").unwrap();
    std::fs::write(site.join("tensorrt_lean_libs/libnvinfer_lean.so.10"), "").unwrap();
    let discovery =
        Discovery { site_packages: vec![site], ignore_environment: true, ignore_loader: true, ..Discovery::default() };
    let sources = |search: &Search| search.places.iter().map(|p| p.source.clone()).collect::<Vec<_>>();
    let build = search(&discovery);
    assert_eq!(sources(&build), ["Python tensorrt_libs", "Python tensorrt_rtx_libs", "Python tensorrt_lean_libs"]);
    assert!(matches!(build.places[0].found, Found::NotLoadable(_)));
    assert_eq!(build.places[1].found, Found::Nothing);
    assert_eq!(build.places[2].found, Found::Nothing, "a lean runtime cannot build");
    let run = search(&Discovery { purpose: Purpose::Run, ..discovery });
    assert!(matches!(run.places[2].found, Found::NotLoadable(_)));
}

#[test]
fn the_message_names_places_and_help() {
    let search = search(&Discovery { ignore_environment: true, ignore_loader: true, ..Discovery::default() });
    let text = search.to_string();
    assert!(text.starts_with("TensorRT not found (looked for libnvinfer.so.11"), "{text}");
    assert!(text.contains("Python packages: not set"), "{text}");
    let help = search.help();
    assert!(help.starts_with("pip install tensorrt (tensorrt-rtx-cu13-libs to build without a GPU)"), "{help}");
}
