//! Files are shown as what they are, and what they were.

use std::fs;

use data_encoding::BASE64;
use serde_json::json;
use tests::eventually;

use super::Open;

/// The least that is a PDF.
const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n\
4 0 obj<</Length 40>>stream\nBT /F 24 Tf 40 100 Td (A letter) Tj ET   \nendstream endobj\ntrailer<</Root 1 0 R>>\n";

#[test]
fn files_are_shown_as_what_they_are() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"300\" height=\"200\"><rect width=\"300\" height=\"200\" fill=\"teal\"/></svg>";
    for (name, content) in
        [("a picture.svg", picture), ("letter.pdf", PDF), ("notes.md", "# Notes\n\nplain *text*")]
    {
        fs::write(mount.join(name), content).unwrap();
    }
    browser.click(".rows .entry-name", "a picture.svg");
    browser.wait("the picture", || {
        browser.run("return document.querySelector('.stage img')?.naturalWidth", &[]) == json!(300)
    });
    browser.shot("preview-image");
    browser.click("dialog button", "Next file");
    browser.wait_for("dialog h2", "letter.pdf");
    browser.wait("the viewer", || {
        browser.run("return document.querySelector('.stage iframe') !== null", &[]) == json!(true)
    });
    browser.shot("preview-pdf");
    browser.click("dialog button", "Next file");
    browser.wait_for(".stage .markdown h3", "Notes");
    browser.wait_for(".stage .markdown em", "text");
    browser.click(".stage button", "As written");
    browser.wait_for(".stage pre", "plain *text*");
    browser.shot("preview-text");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A tone of a tenth of a second: 8-bit samples, 8000 a second.
fn tone() -> Vec<u8> {
    let samples: Vec<u8> = (0..800_u32).map(|at| if at / 10 % 2 == 0 { 90 } else { 160 }).collect();
    let length = u32::try_from(samples.len()).unwrap();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1_u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend([8000_u32, 8000].into_iter().flat_map(u32::to_le_bytes));
    file.extend([1_u16, 8].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.extend(samples);
    file
}

/// The browser itself makes a short film of a square, and gives it as base64.
const FILM: &str = "const done = arguments[arguments.length - 1];
    const canvas = document.createElement('canvas'); canvas.width = 64; canvas.height = 48;
    const draw = canvas.getContext('2d'); let frame = 0;
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm;codecs=vp8' });
    const parts = []; recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = async () => {
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      done(btoa(String.fromCharCode(...bytes)));
    };
    recorder.start();
    const step = () => { draw.fillStyle = frame % 2 ? 'teal' : 'white'; draw.fillRect(frame * 4, 8, 16, 16); frame += 1;
      if (frame < 12) setTimeout(step, 50); else recorder.stop(); };
    step();";

#[test]
fn sound_film_and_code_are_played_and_shown() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    let film = browser.run_until_told(FILM);
    fs::write(mount.join("a film.webm"), BASE64.decode(film.as_str().unwrap().as_bytes()).unwrap()).unwrap();
    fs::write(mount.join("a tone.wav"), tone()).unwrap();
    fs::write(mount.join("main.rs"), "fn main() {\n    println!(\"<b>{}</b>\", 1 & 2);\n}\n").unwrap();
    browser.click(".rows .entry-name", "a film.webm");
    let plays = |what: &str| {
        let script =
            format!("const one = document.querySelector('.stage {what}'); one.muted = true; one.play();");
        browser.wait(what, || browser.shows(&format!(".stage {what}"), ""));
        browser.run(&script, &[]);
        browser.wait(&format!("{what} plays"), || {
            let at = format!("const one = document.querySelector('.stage {what}'); return one.currentTime > 0 && one.error === null");
            browser.run(&at, &[]) == json!(true)
        });
    };
    plays("video");
    assert_eq!(browser.run("return document.querySelector('.stage video').videoWidth", &[]), json!(64));
    browser.shot("preview-film");
    browser.click("dialog button", "Next file");
    browser.wait_for("dialog h2", "a tone.wav");
    plays("audio");
    browser.click("dialog button", "Next file");
    browser.wait_for(".stage pre", "println!(\"<b>{}</b>\", 1 & 2);");
    browser.wait_for(".stage pre .code-keyword", "fn");
    browser.wait_for(".stage pre .code-string", "\"<b>{}</b>\"");
    browser.wait_for(".stage pre .code-number", "2");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Whatever a text holds, all of it is shown, in time, and none of it is an element.
const COLOURS: &str = r##"const done = arguments[arguments.length - 1];
    import('/panel/later/code.js').then(({ coloured }) => {
      const endings = 'rs py js ts c cpp java go php rb sh json toml yaml ini css sql html xml'.split(' ');
      const parts = ['<', '"', '\\', "'", '/*', '`', 'a ', ' ', '#', '{', 'r#"', '- ', '[', '=', 'é', '<a', '<a "', '1', '\n', '  "x"  ', '<!--',
        '<img src=x onerror=alert(1)>', '</script>', '😀'];
      const wrong = [];
      for (const ending of endings) for (const part of parts) {
        const text = part.repeat(Math.ceil(70000 / part.length));
        const nodes = coloured(text, `x.${ending}`);
        if (nodes.map((node) => node.textContent ?? node).join('') !== text) wrong.push(`${ending} ${part}: lost`);
        if (nodes.some((node) => typeof node !== 'string' && (node.tagName !== 'SPAN' || node.children.length > 0))) wrong.push(`${ending} ${part}: an element`);
      }
      done(wrong);
    }, (error) => done([String(error)]))"##;

#[test]
fn code_has_colours_that_come_when_they_are_needed_and_runs_nothing() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    let hostile =
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><!-- why -->\n";
    for name in ["a.html", "b.js", "c.json", "d.txt"] {
        fs::write(mount.join(name), hostile).unwrap();
    }
    fs::write(mount.join("e.py"), format!("{}# last\n", "def f(): return 1\n".repeat(8_000))).unwrap();
    browser.wait_for(".rows .entry-name", "e.py");
    let fetched = "return performance.getEntriesByType('resource').filter((one) => one.name.includes('/later/')).length";
    assert_eq!(browser.run(fetched, &[]), json!(0), "whoever looks at no code fetches nothing for it");
    browser.click(".rows .entry-name", "a.html");
    browser.wait_for(".stage .code-keyword", "<script");
    browser.wait_for(".stage .code-comment", "<!-- why -->");
    assert_eq!(browser.run(fetched, &[]), json!(1));
    let shown = "return document.querySelector('.stage pre').textContent";
    for name in ["a.html", "b.js", "c.json", "d.txt"] {
        browser.wait_for("dialog h2", name);
        browser.wait(name, || browser.run(shown, &[]) == json!(hostile));
        let made = "return document.querySelectorAll('.stage pre :not(span), .stage pre span *').length";
        assert_eq!(browser.run(made, &[]), json!(0), "{name}");
        browser.click("dialog button", "Next file");
    }
    // A long one is coloured at its beginning, and shown as far as ever.
    browser.wait_for(".stage .code-keyword", "def");
    browser.wait_for(".stage pre", "# last");
    assert!(!browser.shows(".stage .code-comment", "# last"), "only the first part has colours");
    browser.shots("preview-code", ".stage");
    assert_eq!(browser.run_until_told(COLOURS), json!([]));
    assert_ne!(browser.run("return document.title", &[]), json!("owned"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

const HOSTILE: &str = "# Title <img src=x onerror=\"document.title='owned'\">\n\n[click](javascript:document.title='owned')\n\n\
    ![i](https://elsewhere.example/x.png)\n\n- one\n- two **bold** `code <b>`\n\n> quoted\n\n```\n<script>document.title='owned'</script>\n```\n\n\
    [a link](https://example.org/)\n\n1. first\n2. second\n";

#[test]
fn markdown_is_a_page_and_runs_nothing() {
    let open = Open::start();
    let browser = &open.browser;
    fs::write(open.daemon.mount().join("notes.md"), HOSTILE).unwrap();
    // What would take for ever if any of it took a square of its length.
    let odd = ["> ", "- ", "[", "# #", "*", "_", "`", "![a](", "1. "]
        .map(|mark| format!("{}x\n", mark.repeat(25_000 / mark.len())));
    fs::write(open.daemon.mount().join("odd.md"), odd.concat()).unwrap();
    browser.click(".rows .entry-name", "notes.md");
    browser.wait_for(".markdown h3", "Title <img");
    for (selector, text) in [
        (".markdown ul li", "two bold code <b>"),
        (".markdown ul strong", "bold"),
        (".markdown ol li", "second"),
        (".markdown blockquote p", "quoted"),
        (".markdown pre code", "<script>"),
        (".markdown p", "[click](javascript:"),
        (".markdown p", "![i](https://elsewhere"),
    ] {
        assert!(browser.shows(selector, text), "{selector}: {text}");
    }
    let links = "return [...document.querySelectorAll('.markdown a')].map((link) => [link.href, link.rel])";
    assert_eq!(browser.run(links, &[]), json!([["https://example.org/", "noopener noreferrer"]]));
    let made =
        "return document.querySelectorAll('.markdown img, .markdown script, .markdown [onerror]').length";
    assert_eq!(browser.run(made, &[]), json!(0));
    browser.shots("preview-markdown", ".markdown");
    browser.click("dialog button", "Next file");
    browser.wait_for("dialog h2", "odd.md");
    browser.wait_for(".markdown", "x");
    assert_ne!(browser.run("return document.title", &[]), json!("owned"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn two_versions_are_compared_line_by_line() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    fs::write(mount.join("list.txt"), "bread\nmilk\neggs\nsalt\n").unwrap();
    open.daemon.wait_until_settled();
    fs::write(mount.join("list.txt"), "bread\noat milk\neggs\nsalt\n<b>pepper</b>\n").unwrap();
    open.daemon.wait_until_settled();
    browser.wait_for(".rows .entry-name", "list.txt");
    browser.run("document.querySelector('.rows [data-part=more]').click()", &[]);
    browser.click(".menu button", "Versions and places");
    browser.click("dialog .versions button", "Compare");
    browser.wait_for("dialog .hint", "3 lines differ.");
    let lines = |kind: &str| {
        let script =
            format!("return [...document.querySelectorAll('.diff {kind}')].map((line) => line.textContent)");
        browser.run(&script, &[])
    };
    assert_eq!(lines("del"), json!(["milk"]));
    assert_eq!(lines("ins"), json!(["oat milk", "<b>pepper</b>"]));
    browser.shots("compare", ".diff");
    // Whatever two texts are, both can be read out of what is shown, and what they have in common is as long as can be.
    let holds = browser.run(
        "return import('/panel/pages/compare.js').then(({ differences }) => {
           const longest = (one, other) => { const all = one.map(() => []);
             const at = (i, j) => i === one.length || j === other.length ? 0 : all[i][j] ??= one[i] === other[j] ? 1 + at(i + 1, j + 1) : Math.max(at(i + 1, j), at(i, j + 1));
             return at(0, 0); };
           let dice = 7; const roll = (most) => { dice = (dice * 1103515245 + 12345) % 2147483648; return dice % most; };
           for (let round = 0; round < 500; round += 1) {
             const [one, other] = [0, 0].map(() => Array.from({ length: roll(12) }, () => 'abcd'[roll(4)]));
             const rows = differences(one, other);
             const side = (at) => rows.map((row) => row[at]).filter((line) => line !== null).join();
             const same = rows.filter(([before, after]) => before !== null && after !== null);
             if (side(0) !== one.join() || side(1) !== other.join() || same.length !== longest(one, other) || same.some(([before, after]) => before !== after)) return [one, other, rows];
           }
           return true; })",
        &[],
    );
    assert_eq!(holds, json!(true));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_earlier_version_that_is_a_picture_is_compared_as_it_looks() {
    let open = Open::start();
    let (mount, browser) = (open.daemon.mount(), &open.browser);
    for width in [30, 50] {
        let picture = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\"/>");
        fs::write(mount.join("a.svg"), picture).unwrap();
        open.daemon.wait_until_settled();
    }
    browser.wait_for(".rows .entry-name", "a.svg");
    browser.run("document.querySelector('.rows [data-part=more]').click()", &[]);
    browser.click(".menu button", "Versions and places");
    browser.click("dialog .versions button", "Compare");
    let widths =
        "return [...document.querySelectorAll('dialog .beside img')].map((image) => image.naturalWidth)";
    eventually("both pictures", || browser.run(widths, &[]) == json!([30, 50]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
