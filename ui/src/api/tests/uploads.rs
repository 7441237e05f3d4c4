//! The tus protocol, as any client of it speaks.

use super::*;
use crate::api::uploads::{UPLOAD_LIFE, sweep as sweep_partials};

const TUS: &str = "tus-resumable: 1.0.0";
const BYTES: &str = "content-type: application/offset+octet-stream";

impl Served {
    fn tus(&self, method: &str, route: &str, headers: &[&str], body: &str) -> (u16, String) {
        let host = format!("host: {}", self.address);
        let token = format!("authorization: Bearer {}", self.token.as_str());
        let headers = [&[host.as_str(), &token], headers].concat();
        let (status, head, _) = self.raw(method, route, &headers, body);
        (status, head)
    }

    fn begin(&self, query: &str, headers: &[&str]) -> (u16, String) {
        self.tus("POST", &format!("{API_PREFIX}/uploads{query}"), headers, "")
    }
}

fn value(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("{name} in {head}")).to_string()
}

#[test]
fn an_upload_goes_on_where_it_stopped() {
    let served = Served::start();
    write(&served.host.drive, b"a", b"before");
    let (status, head) = served.begin("?path=a", &[TUS, "upload-length: 10"]);
    assert_eq!(status, 201, "{head}");
    let address = value(&head, "location");
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 0"], "0123").0, 204);
    let (_, head) = served.tus("HEAD", &address, &[TUS], "");
    assert_eq!((value(&head, "upload-offset"), value(&head, "upload-length")), ("4".into(), "10".into()));
    assert_eq!(
        served.get("/history?path=a").1["entries"].as_array().unwrap().len(),
        1,
        "half a file is nobody's"
    );
    let names: Vec<bool> = served
        .host
        .drive
        .list_folder(b"", 0, 10)
        .unwrap()
        .entries
        .iter()
        .map(|entry| entry.name.ends_with(vfs::PARTIAL_SUFFIX))
        .collect();
    assert_eq!(names.iter().filter(|partial| **partial).count(), 1);
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 3"], "x").0, 409);
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 4"], "4567890123").0, 400);
    let (status, head) = served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 4"], "456789");
    assert_eq!((status, value(&head, "upload-offset")), (204, "10".into()));
    assert_eq!(served.tus("HEAD", &address, &[TUS], "").0, 404, "it is done");
    let (_, versions) = served.get("/history?path=a");
    let versions = &versions["entries"];
    assert_eq!(versions.as_array().unwrap().len(), 2);
    assert_eq!(versions[0]["size"], json!(10));
}

#[test]
fn a_name_comes_from_the_metadata_and_content_may_come_at_once() {
    let served = Served::start();
    let name = "upload-metadata: filetype eA==,filename w6QudHh0"; // ä.txt
    let asked = [TUS, BYTES, "upload-length: 4", name];
    let (status, head) = served.tus("POST", &format!("{API_PREFIX}/uploads?folder=in/deep"), &asked, "text");
    assert_eq!((status, value(&head, "upload-offset")), (201, "4".into()));
    assert_eq!(served.get("/files/entry?path=in/deep/%c3%a4.txt").1["size"], json!(4));
    assert_eq!(served.begin("?path=empty", &[TUS, "upload-length: 0"]).0, 201);
    assert_eq!(served.get("/files/entry?path=empty").1["size"], json!(0));
}

#[test]
fn what_is_no_upload_is_refused() {
    let served = Served::start();
    served.host.drive.make_folder(b"d").unwrap();
    assert_eq!(served.begin("?path=a", &["upload-length: 1"]).0, 412);
    assert_eq!(served.begin("?path=a", &[TUS]).0, 400);
    assert_eq!(served.begin("?path=a", &[TUS, "upload-length: -1"]).0, 400);
    assert_eq!(served.begin("?path=a", &[TUS, "upload-length: 18446744073709551615"]).0, 413);
    assert_eq!(served.begin("?path=d", &[TUS, "upload-length: 1"]).0, 409);
    assert_eq!(served.begin("", &[TUS, "upload-length: 1"]).0, 400);
    assert_eq!(served.begin("", &[TUS, "upload-length: 1", "upload-metadata: filename Li4vYQ=="]).0, 400);
    let (_, head) = served.begin("?path=a", &[TUS, "upload-length: 5"]);
    let address = value(&head, "location");
    assert_eq!(served.tus("PATCH", &address, &[TUS, "upload-offset: 0"], "x").0, 415);
    assert_eq!(served.tus("PATCH", &format!("{address}0"), &[TUS, BYTES, "upload-offset: 0"], "x").0, 404);
    assert_eq!(served.tus("HEAD", &format!("{API_PREFIX}/uploads/1-x"), &[TUS], "").0, 404);
    assert_eq!(served.tus("DELETE", &address, &[TUS], "").0, 204);
    assert_eq!(served.tus("DELETE", &address, &[TUS], "").0, 404);
    assert_eq!(served.host.drive.list_folder(b"", 0, 10).unwrap().entries.len(), 1, "only the folder");
    let (status, head) = served.tus("OPTIONS", &format!("{API_PREFIX}/uploads"), &[], "");
    assert_eq!((status, value(&head, "tus-version")), (204, "1.0.0".into()));
}

#[test]
fn what_a_crash_left_whole_is_finished_and_what_was_tampered_with_is_refused() {
    let served = Served::start();
    let drive = &served.host.drive;
    let fill = |text: &'static [u8]| {
        let partial = drive
            .list_folder(b"", 0, 10)
            .unwrap()
            .entries
            .into_iter()
            .find(|entry| entry.name.ends_with(vfs::PARTIAL_SUFFIX));
        let flags = OpenFlags { write: true, ..OpenFlags::default() };
        let opened = drive.open(partial.unwrap().attr.ino, flags).unwrap();
        vfs::wait(|reply| drive.write(opened.handle, 0, text, reply)).unwrap();
        drive.release(opened.handle);
    };
    let (_, head) = served.begin("?path=a", &[TUS, "upload-length: 5"]);
    let address = value(&head, "location");
    fill(b"whole");
    assert_eq!(value(&served.tus("HEAD", &address, &[TUS], "").1, "upload-offset"), "5");
    assert_eq!(served.get("/files/entry?path=a").1["size"], json!(5));
    let (_, head) = served.begin("?path=b", &[TUS, "upload-length: 5"]);
    let address = value(&head, "location");
    fill(b"too much");
    assert_eq!(served.tus("HEAD", &address, &[TUS], "").0, 409);
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 8"], "x").0, 409);
}

#[test]
fn what_its_checksum_does_not_fit_is_dropped() {
    let served = Served::start();
    let sum = format!(
        "upload-checksum: sha1 {}",
        data_encoding::BASE64.encode(&<sha1::Sha1 as sha1::Digest>::digest(b"456789"))
    );
    let (_, head) = served.begin("?path=a", &[TUS, "upload-length: 10"]);
    let address = value(&head, "location");
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 0"], "0123").0, 204);
    let part = |sum: &str, body| served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 4", sum], body);
    assert_eq!(part(&sum, "45678x").0, 460);
    assert_eq!(part(&sum, "45").0, 460);
    for nonsense in ["upload-checksum: md5 aaaa", "upload-checksum: sha1", "upload-checksum: sha1 aaaa"] {
        assert_eq!(part(nonsense, "456789").0, 400, "{nonsense}");
    }
    let (_, head) = served.tus("HEAD", &address, &[TUS], "");
    assert_eq!(value(&head, "upload-offset"), "4", "nothing of it counts");
    assert!(value(&head, "upload-expires").ends_with(" gmt"), "{head}");
    assert_eq!(part(&sum, "456789").0, 204);
    let (_, _, body) = served.content("content?path=a", &[]);
    assert_eq!(body, "0123456789");
    let (_, head) = served.tus("OPTIONS", &format!("{API_PREFIX}/uploads"), &[], "");
    assert_eq!(value(&head, "tus-checksum-algorithm"), "sha1");
}

#[test]
fn a_part_without_a_checksum_takes_the_place_of_one_that_was_wrong() {
    let served = Served::start();
    let (_, head) = served.begin("?path=a", &[TUS, "upload-length: 4"]);
    let address = value(&head, "location");
    let wrong = format!("upload-checksum: sha1 {}", data_encoding::BASE64.encode(&[0; 20]));
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 0", &wrong], "abc").0, 460);
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 0"], "x").0, 204);
    let (_, head) = served.tus("HEAD", &address, &[TUS], "");
    assert_eq!(value(&head, "upload-offset"), "1");
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 1"], "yz!").0, 204);
    assert_eq!(served.content("content?path=a", &[]).2, "xyz!");
}

#[test]
fn an_upload_that_nobody_goes_on_with_is_given_up() {
    let served = Served::start();
    let (_, head) = served.begin("?path=deep/a", &[TUS, "upload-length: 10"]);
    let address = value(&head, "location");
    assert_eq!(served.tus("PATCH", &address, &[TUS, BYTES, "upload-offset: 0"], "0123").0, 204);
    write(&served.host.drive, b".mine.partial", b"no upload");
    let sweep = |later| {
        let at = std::time::SystemTime::now() + later;
        sweep_partials(&served.host.drive, &Arc::default(), at).unwrap()
    };
    assert_eq!(sweep(UPLOAD_LIFE / 2), 0);
    assert_eq!(served.tus("HEAD", &address, &[TUS], "").0, 200);
    assert_eq!(sweep(UPLOAD_LIFE + std::time::Duration::from_secs(60)), 1);
    assert_eq!(served.tus("HEAD", &address, &[TUS], "").0, 404);
    assert_eq!(served.get("/files/entry?path=.mine.partial").0, 200, "what only is called so stays");
}
