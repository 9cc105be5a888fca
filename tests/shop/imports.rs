//! Imports of real-world files: spreadsheets, price lists, and other encodings.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Shop, lines, souk};

/// A folder with import files and a data folder.
struct ImportFolder {
    folder: TempDir,
}

impl ImportFolder {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Writes and imports a file. Returns the exit status, the sums and the error output.
    fn import(&self, name: &str, bytes: &[u8], options: &[&str]) -> (Option<i32>, Value, String) {
        import_into(&self.data(), &self.file(name, bytes), options)
    }

    /// Returns the contents of the products in the log, ordered by SKU.
    fn contents(&self) -> Vec<Value> {
        contents(&self.data())
    }

    /// Returns the name and the first price of every product.
    fn prices(&self) -> Vec<(String, i64)> {
        let price = |content: Value| {
            (
                content["name"].as_str().unwrap().to_owned(),
                content["variants"][0]["price"]["amount"].as_i64().unwrap(),
            )
        };
        self.contents().into_iter().map(price).collect()
    }
}

fn import_into(data: &Path, file: &str, options: &[&str]) -> (Option<i32>, Value, String) {
    let output = souk(data, &[&["import", "products", file, "--json"], options].concat());
    let sums = text(&output.stdout).lines().last().map(|line| serde_json::from_str(line).unwrap());
    (output.status.code(), sums.unwrap_or_default(), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns the last content of each product in the log, ordered by SKU.
fn contents(data: &Path) -> Vec<Value> {
    let (status, events) = lines(data, &["events", "tail", "--count", "1000"]);
    assert_eq!(status, Some(0), "{events:?}");
    let mut contents: Vec<(String, Value)> = Vec::new();
    for event in events {
        let stream = event["stream"].as_str().unwrap().to_owned();
        if stream.starts_with("product-") && event["data"]["content"].is_object() {
            contents.retain(|(known, _)| *known != stream);
            contents.push((stream, event["data"]["content"].clone()));
        }
    }
    let mut contents: Vec<Value> = contents.into_iter().map(|(_, content)| content).collect();
    contents.sort_by_key(|content| content["variants"][0]["sku"].as_str().unwrap().to_owned());
    contents
}

// Proves: products.import-refused-lines
#[test]
fn refused_rows_are_reported_with_their_line_numbers() {
    let files = ImportFolder::new();
    for (name, text, line) in [
        ("crlf.csv", "sku,name,price\r\nA1,Lamp,100\r\nA2,Rug,oops\r\n", 3),
        ("blank.csv", "sku,name,price\nA3,Lamp,100\n\n\nA4,Rug,oops\n", 5),
        ("both.csv", "\r\nsku,name,price\r\n\r\nA5,\"La\r\nmp\",1\r\n\r\nA6,Rug,oops\r\n", 7),
        (
            "lines.jsonl",
            "\r\n{\"sku\":\"A7\",\"name\":\"Lamp\",\"price\":{\"amount\":1}}\r\n\r\n{oops}\r\n",
            4,
        ),
    ] {
        let errors = files.path("errors");
        let (status, _, stderr) = files.import(name, text.as_bytes(), &["--errors", &errors]);
        assert_eq!(status, Some(1), "{name}: {stderr}");
        assert!(stderr.contains(&format!("line {line}: ")), "{name}: {stderr}");
        assert!(fs::read_to_string(&errors).unwrap().contains(&format!("#souk line {line}: ")), "{name}");
    }
}

// Proves: products.import-error-file
#[test]
fn the_error_file_has_the_refused_rows_unchanged_and_can_be_imported_when_corrected() {
    let files = ImportFolder::new();
    let utf16 = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let row = "Q1,\"Chair, \"\"Deluxe\"\"\",oops\r\n";
    let csv = format!("sku,name,price\r\nP1,Plain,1\r\n{row}").into_bytes();
    let cells = format!("\u{feff}sku,name,price\r\nP1,Plain,1\r\n{row}");
    let element = "{\"sku\":\"Q1\",\r\n  \"name\":\"Chair, \\\"Deluxe\\\"\", \"price\":{\"amount\":oops}}";
    let array = format!("[{{\"sku\":\"P1\",\"name\":\"Plain\",\"price\":{{\"amount\":1}}}},\n{element}]");
    for (name, bytes, kept, oops) in [
        ("quoted.csv", csv, row.as_bytes().to_vec(), b"oops".to_vec()),
        ("utf16.csv", utf16(&cells), utf16(row), utf16("oops")),
        ("array.json", array.into_bytes(), element.as_bytes().to_vec(), b"oops".to_vec()),
    ] {
        let errors = files.path(&format!("errors-{name}"));
        let (status, sums, stderr) = files.import(name, &bytes, &["--errors", &errors]);
        assert_eq!((status, &sums["refused"]), (Some(1), &json!(1)), "{name}: {stderr}");
        let refused = fs::read(&errors).unwrap();
        assert!(refused.windows(kept.len()).any(|bytes| bytes == kept), "{name}: {refused:?}");
        let corrected = correct(&refused, &oops, name == "utf16.csv");
        let (status, sums, stderr) = files.import(&format!("corrected-{name}"), &corrected, &[]);
        assert_eq!((status, &sums["read"]), (Some(0), &json!(1)), "{name}: {stderr}");
        assert!(files.prices().contains(&("Chair, \"Deluxe\"".to_owned(), 4_444)), "{name}");
        // Resets the price for the next file.
        let (status, _, stderr) = files.import("reset.csv", b"sku,name,price\nQ1,Chair,1\n", &[]);
        assert_eq!(status, Some(0), "{stderr}");
    }
}

/// Replaces the invalid price by a valid one everywhere, also in comments.
fn correct(bytes: &[u8], oops: &[u8], is_utf16: bool) -> Vec<u8> {
    let price: Vec<u8> = if is_utf16 { b"4\x004\x004\x004\x00".to_vec() } else { b"4444".to_vec() };
    let mut corrected = bytes.to_vec();
    while let Some(at) = corrected.windows(oops.len()).position(|bytes| bytes == oops) {
        corrected.splice(at..at + oops.len(), price.iter().copied());
    }
    corrected
}

// Proves: products.import-encodings
#[test]
fn bytes_that_are_not_utf_8_are_refused_unless_an_encoding_is_given() {
    let files = ImportFolder::new();
    let row = b"E2,Cr\xe8me,100\n";
    let csv = [b"sku,name,price\n", &row[..], b"E3,Plain,100\n"].concat();
    let line = b"{\"name\":\"Cr\xe8me br\xfbl\xe9e\",\"sku\":\"E1\",\"price\":{\"amount\":100,\"currency\":\"GBP\"}}";
    for (name, bytes, kept) in [("latin1.csv", &csv[..], &row[..]), ("latin1.jsonl", line, line)] {
        let errors = files.path("errors");
        let (status, sums, stderr) = files.import(name, bytes, &["--errors", &errors]);
        assert_eq!((status, &sums["refused"]), (Some(1), &json!(1)), "{name}: {stderr}");
        assert!(stderr.contains("not UTF-8; use --encoding"), "{stderr}");
        assert!(fs::read(&errors).unwrap().windows(kept.len()).any(|bytes| bytes == kept), "{name}");
    }
    assert_eq!(files.prices(), [("Plain".to_owned(), 100)]);
    for (name, bytes) in [("latin1.csv", &csv[..]), ("latin1.jsonl", line)] {
        let (status, _, stderr) = files.import(name, bytes, &["--encoding", "windows-1252"]);
        assert_eq!(status, Some(0), "{name}: {stderr}");
    }
    let names: Vec<_> = files.prices().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Crème brûlée", "Crème", "Plain"]);
    let utf16: Vec<u8> =
        "sku\tname\tprice\nE4\tBrûlée\t1\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(files.import("plain.txt", &utf16, &[]).0, Some(1));
    assert_eq!(files.import("plain.txt", &utf16, &["--encoding", "utf-16be"]).0, Some(0));
    assert_eq!(files.import("bom.txt", &[b"\xfe\xff", &utf16[..]].concat(), &[]).1["unchanged"], 1);
    assert!(!files.contents().iter().any(|content| content.to_string().contains('\u{fffd}')));
}

#[test]
fn a_file_with_a_wrong_header_changes_nothing_and_has_one_message() {
    let files = ImportFolder::new();
    for (text, words) in [
        ("sku,name,price,price\nD1,Lamp,1,2\nD2,Lamp,1,2\n", "column `price` occurs twice"),
        ("sku,name,price,weight\nD1,Lamp,1,2\nD2,Lamp,1,2\n", "unknown columns: `weight`"),
        ("name,price\nLamp,1\nRug,2\n", "column `sku` is missing"),
        (
            "SKU;Name;Price;Active\r\nX0;Cup;12;TRUE\r\nX1;Lamp;12,50;TRUE\r\nX2;Rug;1.250,00;FALSE\r\n",
            "use --decimal ,",
        ),
    ] {
        let errors = files.path("errors");
        let (status, sums, stderr) = files.import("wrong.csv", text.as_bytes(), &["--errors", &errors]);
        assert_eq!((status, sums), (Some(1), Value::Null), "{stderr}");
        assert!(stderr.contains(words) && stderr.lines().count() == 1, "{stderr}");
        assert!(!Path::new(&errors).exists() && !files.data().exists(), "{text}");
    }
}

// Proves: products.import-formats
#[test]
fn spreadsheets_are_read_with_their_separators_decimal_signs_and_booleans() {
    let files = ImportFolder::new();
    let excel = "SKU;Name;Price;Active\r\nX1;Lamp;12,50;TRUE\r\nX2;Rug;1.250,00;FALSE\r\n;;;\r\n";
    let (status, _, stderr) = files.import("excel.csv", excel.as_bytes(), &["--decimal", ","]);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(files.prices(), [("Lamp".to_owned(), 1_250), ("Rug".to_owned(), 125_000)]);
    let active: Vec<_> = files.contents().iter().map(|content| content["active"].clone()).collect();
    assert_eq!(active, [json!(true), json!(false)]);
    assert_eq!(files.import("UPPER.CSV", b"sku,name,price\nU1,Lamp,100\n", &[]).1["created"], 1);
    assert_eq!(files.import("tabs", b"sku\tprice\nU1\t101\n", &[]).1["changed"], 1);
    assert_eq!(files.import("bars.csv", b"sku|price\nU1|102\n", &["--separator", "|"]).1["changed"], 1);
    let bom = "\u{feff}{\"name\":\"Lamp\",\"sku\":\"B1\",\"price\":{\"amount\":100,\"currency\":\"GBP\"}}\n";
    assert_eq!(files.import("bom.jsonl", bom.as_bytes(), &[]).1["created"], 1);
    let array = format!("[{}]", bom.trim_start_matches('\u{feff}'));
    assert_eq!(files.import("array.json", array.as_bytes(), &[]).1["unchanged"], 1);
    for wrong in [&["--decimal", ";"][..], &["--separator", "x"], &["--encoding", "latin1"]] {
        assert_eq!(files.import("excel.csv", excel.as_bytes(), wrong).0, Some(2));
    }
}

// Proves: products.import-beside-a-server
#[tokio::test(flavor = "multi_thread")]
async fn a_price_list_changes_only_prices_with_and_without_a_server() {
    let shop = Shop::start(&[]).await;
    let variant = |sku: &str, amount: i64| {
        json!({"sku": sku, "options": {"size": sku}, "price": {"amount": amount, "currency": "EUR"},
            "images": [format!("https://example.org/{sku}.png")]})
    };
    let lamp = json!({"name": "Lamp", "description": "Of glass.", "category": "home/lighting", "active": false,
        "attributes": {"colour": "white"}, "variants": [variant("L1", 100), variant("L2", 200)]});
    let (status, created) = shop.post("/api/products", &lamp).await;
    assert_eq!(status, 201, "{created}");
    let path = format!("/api/products/{}", created["id"].as_str().unwrap());
    let product = || async {
        let mut product = shop.get(&path).await.1;
        for part in ["id", "revision", "position", "createdAt", "updatedAt"] {
            product.as_object_mut().unwrap().remove(part);
        }
        product
    };
    let mut expected = product().await;
    let files = ImportFolder::new();
    let list = files.file("price-list.csv", b"sku,name,price\nL1,Lamp,110\n");
    let dry = run(shop.folder(), &list, &["--dry-run"]);
    assert!(text(&dry.stdout).contains("line 2: L1 changes: price of L1 1.00 EUR → 1.10 EUR"), "{dry:?}");
    assert!(
        text(&dry.stdout).contains("dry run, nothing was written: 1 lines: 0 created, 1 changed"),
        "{dry:?}"
    );
    assert_eq!(product().await, expected);
    assert_eq!(import_into(shop.folder(), &list, &[]).1["changed"], 1);
    expected["variants"][0]["price"]["amount"] = json!(110);
    assert_eq!(product().await, expected);
    assert_eq!(import_into(shop.folder(), &list, &[]).1["unchanged"], 1);
    let folder = shop.stop();
    let decimal = files.file("decimal.csv", b"sku,price\nL2,2.20\n");
    assert_eq!(import_into(folder.path(), &decimal, &["--decimal", "."]).1["changed"], 1);
    let content = contents(folder.path()).remove(0);
    assert_eq!(content["variants"][0]["price"], json!({"amount": 110, "currency": "EUR"}));
    assert_eq!(content["variants"][1]["price"], json!({"amount": 220, "currency": "EUR"}));
    assert_eq!((&content["description"], &content["active"]), (&json!("Of glass."), &json!(false)));
}

fn run(data: &Path, file: &str, options: &[&str]) -> Output {
    souk(data, &[&["import", "products", file], options].concat())
}

#[test]
fn a_file_from_a_pipe_is_imported() {
    let files = ImportFolder::new();
    let pipe =
        "printf 'sku,name,price\\nP1,Lamp,1\\n' | \"$0\" import products /dev/stdin --json --data \"$1\"";
    let mut command = std::process::Command::new("sh");
    let output = command.args(["-c", pipe, env!("CARGO_BIN_EXE_souk")]).arg(files.data()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(files.prices(), [("Lamp".to_owned(), 1)]);
}

// Proves: products.import-template
#[test]
fn templates_can_be_imported_unchanged() {
    let files = ImportFolder::new();
    for (format, name) in [("csv", "t.csv"), ("tsv", "t.tsv"), ("jsonl", "t.jsonl")] {
        let template = souk(&files.data(), &["import", "template", "--format", format]);
        let (status, sums, stderr) = files.import(name, &template.stdout, &[]);
        assert_eq!(
            (status, &sums["read"], &sums["refused"]),
            (Some(0), &json!(1), &json!(0)),
            "{name}: {stderr}"
        );
    }
    let contents = files.contents();
    assert_eq!((contents.len(), &contents[0]["active"]), (1, &json!(false)), "{contents:?}");
}

// Proves: products.import-changes-what-differs
#[test]
fn a_repeated_import_writes_only_missing_rows() {
    let files = ImportFolder::new();
    let rows = |count: usize| -> String {
        (0..count)
            .map(|n| format!("S{n},Product {n},{n}\n"))
            .fold("sku,name,price\n".to_owned(), |all, row| all + &row)
    };
    assert_eq!(files.import("first.csv", rows(20).as_bytes(), &[]).1["created"], 20);
    let events = || lines(&files.data(), &["log", "stats"]).1[0]["events"].clone();
    let before = events();
    assert_eq!(files.import("first.csv", rows(20).as_bytes(), &[]).1["unchanged"], 20);
    assert_eq!(events(), before);
    let (_, sums, _) = files.import("all.csv", rows(30).as_bytes(), &[]);
    assert_eq!((&sums["unchanged"], &sums["created"]), (&json!(20), &json!(10)));
}

#[test]
fn a_file_that_ends_inside_a_quote_changes_nothing() {
    let files = ImportFolder::new();
    for text in [
        "sku,name,price,description\nO1,a,5,\"open quote\nO2,b,6,fine\nO3,c,7,fine\n",
        "sku,name,price,description\nO1,a,5,fine\nT2,\"b,6",
        "sku,name,price,description\nO1,a,5,\"cut off he",
        "sku,name,price,\"description\nO1,a,5,fine\n",
    ] {
        let errors = files.path("errors");
        let (status, sums, stderr) = files.import("open.csv", text.as_bytes(), &["--errors", &errors]);
        assert_eq!((status, sums), (Some(1), Value::Null), "{stderr}");
        assert!(stderr.contains("open.csv: ") && stderr.contains("has no end"), "{stderr}");
        assert!(!Path::new(&errors).exists() && !files.data().exists(), "{text}");
    }
}

#[test]
fn a_row_with_a_misplaced_quote_is_refused_and_kept() {
    let files = ImportFolder::new();
    let open = "O4,a,5,\"open\nO5,b,6,\"fine\"\n";
    let text = format!("sku,name,price,description\nQ3,\"12\" nail\",5,\n{open}O6,c,7,\"a \"\"b\"\"\nc\"\n");
    let errors = files.path("errors");
    let (status, sums, stderr) = files.import("quotes.csv", text.as_bytes(), &["--errors", &errors]);
    assert_eq!((status, &sums["refused"], &sums["created"]), (Some(1), &json!(2), &json!(1)), "{stderr}");
    assert!(
        stderr.contains("line 2: unusable-line: column 2: there is text after the closing quote"),
        "{stderr}"
    );
    assert!(stderr.contains("line 3: unusable-line: column 4: the quote that opens on line 3"), "{stderr}");
    assert_eq!(files.prices(), [("c".to_owned(), 7)]);
    let kept = fs::read_to_string(&errors).unwrap();
    assert!(kept.contains("Q3,\"12\" nail\",5,\n") && kept.contains(open), "{kept}");
    let corrected = kept.replace("\"12\" nail\"", "\"12\"\" nail\"").replace("\"open\n", "open\n");
    let (status, sums, stderr) = files.import("corrected.csv", corrected.as_bytes(), &[]);
    assert_eq!((status, &sums["created"]), (Some(0), &json!(3)), "{stderr}");
}

#[test]
fn a_price_with_a_currency_or_a_sign_is_refused() {
    let files = ImportFolder::new();
    let first = files.import("first.csv", b"sku,name,price\nG1,Lamp,100\nG2,Rug,100\n", &[]);
    assert_eq!(first.0, Some(0), "{}", first.2);
    for cell in ["£5", "£12.50", "12.50 GBP", "\"12,50 €\"", ".50", "12.", "\"12,-\"", "+5", "1.250", "1 250"]
    {
        let text = format!("sku,price\nG2,6\nG1,{cell}\n");
        let (status, sums, stderr) = files.import("money.csv", text.as_bytes(), &[]);
        assert_eq!((status, sums), (Some(1), Value::Null), "{cell}: {stderr}");
        assert!(stderr.contains("money.csv: column `price`, line 3: "), "{stderr}");
    }
    assert_eq!(files.prices(), [("Lamp".to_owned(), 100), ("Rug".to_owned(), 100)]);
}

#[test]
fn the_advice_for_an_ambiguous_price_works() {
    let files = ImportFolder::new();
    let first = files.import("first.csv", b"sku,name,price\nG1,Lamp,100\n", &[]);
    assert_eq!(first.0, Some(0), "{}", first.2);
    for (text, sign) in [("sku;price\nG1;1.250\n", ","), ("sku,price\nG1,\"1,250\"\n", ".")] {
        let (_, _, stderr) = files.import("thousands.csv", text.as_bytes(), &[]);
        assert!(stderr.contains(&format!("1250 with --decimal {sign}")), "{stderr}");
        assert_eq!(files.import("thousands.csv", text.as_bytes(), &["--decimal", sign]).0, Some(0));
        assert_eq!(files.prices(), [("Lamp".to_owned(), 125_000)]);
    }
}

#[test]
fn a_file_without_rows_is_reported() {
    let files = ImportFolder::new();
    for (name, text) in
        [("none.csv", ""), ("head.csv", "sku,price\n"), ("none.jsonl", "\n"), ("none.json", "[]")]
    {
        let (status, sums, stderr) = files.import(name, text.as_bytes(), &[]);
        assert_eq!((status, &sums["read"]), (Some(0), &json!(0)), "{stderr}");
        assert!(stderr.contains(&format!("{name} has no products")), "{name}: {stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_contradicts_an_earlier_row_of_its_product_is_refused() {
    let shop = Shop::start(&[]).await;
    let variant =
        |n: usize| json!({"sku": format!("V{n}"), "price": {"amount": 1, "currency": "GBP"}, "images": []});
    let lamp = json!({"name": "One", "variants": [variant(1), variant(2)]});
    let (status, created) = shop.post("/api/products", &lamp).await;
    assert_eq!(status, 201, "{created}");
    // There are more rows between the two that differ than one request sends.
    let others = (1..=210).map(|n| format!("F{n},Rug,1\n"));
    let text = others.fold("sku,name,price\nV1,One,2\n".to_owned(), |all, row| all + &row) + "V2,Two,3\n";
    let files = ImportFolder::new();
    let file = files.file("names.csv", text.as_bytes());
    let check = |data: &Path, options: &[&str], expected: [u64; 3]| {
        let (status, sums, stderr) = import_into(data, &file, options);
        assert_eq!((status, &sums["refused"]), (Some(1), &json!(1)), "{stderr}");
        assert!(
            stderr.contains("line 213: unusable-line: /name: line 2 has another value for the same product"),
            "{stderr}"
        );
        let found = ["created", "changed", "unchanged"].map(|name| sums[name].as_u64().unwrap());
        assert_eq!(found, expected, "{options:?}");
    };
    check(shop.folder(), &["--dry-run"], [210, 1, 0]);
    check(shop.folder(), &[], [210, 1, 0]);
    let folder = shop.stop();
    check(folder.path(), &[], [0, 0, 211]);
    let lamp = contents(folder.path()).pop().unwrap();
    let prices = [0, 1].map(|at| lamp["variants"][at]["price"]["amount"].as_i64().unwrap());
    assert_eq!((lamp["name"].as_str(), prices), (Some("One"), [2, 1]));
}

// Proves: products.import-dry-run
#[test]
fn a_dry_run_creates_no_folder_and_an_import_reports_a_new_shop() {
    let files = ImportFolder::new();
    let rows = b"sku,name,price\nT1,Lamp,100\n";
    let (status, sums, stderr) = files.import("t.csv", rows, &["--dry-run"]);
    assert_eq!((status, &sums["created"]), (Some(0), &json!(1)), "{stderr}");
    assert!(stderr.contains("there is no shop in ") && !files.data().exists(), "{stderr}");
    let (status, _, stderr) = files.import("t.csv", rows, &[]);
    assert!(status == Some(0) && stderr.contains("this import created a new one there"), "{stderr}");
    for options in [&["--dry-run"][..], &[]] {
        let (status, sums, stderr) = files.import("t.csv", rows, options);
        assert_eq!((status, &sums["unchanged"], stderr.as_str()), (Some(0), &json!(1), ""));
    }
}

#[test]
fn a_file_in_utf_8_that_is_declared_as_windows_1252_changes_nothing() {
    let files = ImportFolder::new();
    let text = "sku,name,price\nE1,Crème,1\n";
    let (status, _, stderr) = files.import("utf8.csv", text.as_bytes(), &["--encoding", "windows-1252"]);
    assert!(
        status == Some(1) && stderr.contains("utf8.csv: --encoding windows-1252: the file is UTF-8"),
        "{stderr}"
    );
    assert!(!files.data().exists());
    let ascii = b"sku,name,price\nE1,Creme,1\n";
    assert_eq!(files.import("ascii.csv", ascii, &["--encoding", "windows-1252"]).0, Some(0));
}

#[test]
fn booleans_and_numbers_in_spreadsheet_form_do_not_change_attributes() {
    let files = ImportFolder::new();
    let line =
        "{\"sku\":\"A1\",\"name\":\"Lamp\",\"price\":{\"amount\":1},\"attributes\":{\"b\":true,\"n\":5}}";
    assert_eq!(files.import("a.jsonl", line.as_bytes(), &[]).1["created"], 1);
    assert_eq!(files.import("a.csv", b"sku,attr.b,attr.n\nA1,TRUE,5.0\n", &[]).1["unchanged"], 1);
}
