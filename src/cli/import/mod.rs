//! `souk import products FILE`: through the running server, or by a shop of its own while none runs.
//!
//! Nothing is lost: a line that is refused stands in the error file with its number and the reason. What
//! is there already is left alone, so an import can be stopped and run again.

mod bounded;
mod formats;
mod sink;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use souk_command_api::import::{LineOutcome, LineResult};
use souk_domain::Sku;
use souk_domain::text::quoted;

use crate::configuration::Configuration;

use super::output;
use formats::Lines;
use sink::Sink;

/// Lines sent at once.
const BATCH_LINES_MAX: usize = 200;
/// Bytes sent at once.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Bytes of one product as it is sent: what a request to the shop may have.
const PRODUCT_BYTES_MAX: usize = 1024 * 1024;
/// Odd lines that are shown; more are counted.
const ODD_SHOWN_MAX: usize = 20;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Imports products, comparing with what is there.
    Products(ProductsArgs),
}

#[derive(Debug, Args)]
pub struct ProductsArgs {
    /// The file, gzipped or not.
    file: PathBuf,
    /// Its format; by its name unless given.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Where refused lines go, each with its number and the reason.
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// A running server, instead of the one that holds the data folder; its token in `SOUK_TOKEN`.
    #[arg(long, value_parser = url)]
    url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One product a line, as `POST /api/products` takes it.
    Jsonl,
    /// Columns sku, name, description, category, price (in minor units, as pence), currency, active, and
    /// `attr.NAME`; an empty cell leaves its value out.
    Csv,
    /// Icecat's open catalogue, one JSON object a line.
    Icecat,
}

/// A line that was read.
struct InputLine {
    number: u64,
    /// As `POST /api/products` takes it, or why it can't be read.
    product: Result<Value, String>,
    /// What was odd about it, though it can be used.
    odd: Vec<String>,
    /// As it was.
    raw: String,
}

#[derive(Default)]
struct Report {
    read: u64,
    created: u64,
    changed: u64,
    unchanged: u64,
    refused: u64,
    odd: u64,
}

/// Runs the command.
pub async fn run(
    configuration: &Configuration,
    command: ImportCommand,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let ImportCommand::Products(args) = command;
    let format = args.format.unwrap_or_else(|| by_name(&args.file));
    let file = File::open(&args.file).with_context(|| format!("{} can't be read", args.file.display()))?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = output::progress(length, "bytes");
    let reader = opened(bar.wrap_read(file))?;
    let lines = formats::lines(format, reader, configuration.currency);
    let mut errors = match &args.errors {
        Some(path) => {
            Some(File::create(path).with_context(|| format!("{} can't be written", path.display()))?)
        }
        None => None,
    };
    let mut sink = Sink::open(configuration, args.url).await?;
    let mut report = Report::default();
    let result = import(lines, &mut sink, &mut report, &mut errors, &bar).await;
    bar.finish_and_clear();
    sink.close().await?;
    result?;
    print(&report, json)?;
    Ok(if report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Takes the address of a server.
fn url(text: &str) -> Result<String, String> {
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    if is_http { Ok(text.to_owned()) } else { Err("http:// or https:// and a host are allowed".to_owned()) }
}

fn by_name(file: &Path) -> Format {
    let name = file.to_string_lossy();
    if name.contains(".csv") { Format::Csv } else { Format::Jsonl }
}

/// Reads gzip by its first two bytes.
fn opened(file: impl Read + 'static) -> anyhow::Result<Box<dyn BufRead>> {
    let mut reader = BufReader::new(file);
    let is_gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) })
}

async fn import(
    lines: Lines,
    sink: &mut Sink,
    report: &mut Report,
    errors: &mut Option<File>,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<()> {
    let (mut batch, mut bytes, mut seen) = (Vec::new(), 0, HashMap::new());
    for line in lines {
        let mut line = line?;
        report.read += 1;
        refuse_seen_before(&mut line, &mut seen);
        if !line.odd.is_empty() {
            report.odd += 1;
            if usize::try_from(report.odd).is_ok_and(|odd| odd <= ODD_SHOWN_MAX) {
                let odd = line.odd.join("; ");
                bar.suspend(|| output::warn(format!("line {}: {odd}", line.number)));
            }
        }
        let size = refuse_too_large(&mut line);
        if batch.len() == BATCH_LINES_MAX || bytes + size > BATCH_BYTES_MAX {
            send(std::mem::take(&mut batch), sink, report, errors).await?;
            bytes = 0;
        }
        bytes += size;
        batch.push(line);
    }
    send(batch, sink, report, errors).await
}

/// Refuses a product that no request can hold. Returns the bytes that the line takes in a batch.
fn refuse_too_large(line: &mut InputLine) -> usize {
    let size = line.product.as_ref().map_or(0, |product| product.to_string().len());
    if size > PRODUCT_BYTES_MAX {
        line.product = Err(format!("a product has at most {PRODUCT_BYTES_MAX} bytes, this one has {size}"));
        return line.raw.len();
    }
    size.max(line.raw.len())
}

/// A SKU stands in a file once: of two lines, neither is right by being the later one.
fn refuse_seen_before(line: &mut InputLine, seen: &mut HashMap<String, u64>) {
    let Ok(product) = &line.product else { return };
    let variants = product["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let skus = variants.iter().map(|variant| &variant["sku"]).chain([&product["sku"]]);
    let skus: Vec<&str> = skus.filter_map(Value::as_str).map(str::trim).collect();
    if let Some((sku, before)) = skus.iter().find_map(|sku| Some((sku, seen.get(*sku)?))) {
        line.product = Err(format!("SKU {} stands in line {before} already", quoted(sku)));
        return;
    }
    // A text that is no SKU is refused by itself, and not remembered.
    let skus = skus.into_iter().filter(|sku| Sku::parse(sku).is_ok());
    seen.extend(skus.map(|sku| (sku.to_owned(), line.number)));
}

async fn send(
    batch: Vec<InputLine>,
    sink: &mut Sink,
    report: &mut Report,
    errors: &mut Option<File>,
) -> anyhow::Result<()> {
    let (mut readable, mut products) = (Vec::new(), Vec::new());
    for mut line in batch {
        match std::mem::replace(&mut line.product, Ok(Value::Null)) {
            Ok(product) => {
                products.push(product);
                readable.push(line);
            }
            Err(reason) => refuse(&line, "unusable-line", &reason, report, errors)?,
        }
    }
    if products.is_empty() {
        return Ok(());
    }
    let results = sink.send(products).await?;
    for (line, result) in readable.iter().zip(results) {
        let LineResult { outcome, code, reason, .. } = result;
        match outcome {
            LineOutcome::Created => report.created += 1,
            LineOutcome::Changed => report.changed += 1,
            LineOutcome::Unchanged => report.unchanged += 1,
            LineOutcome::Refused => {
                let (code, reason) = (code.unwrap_or_default(), reason.unwrap_or_default());
                refuse(line, &code, &reason, report, errors)?;
            }
        }
    }
    Ok(())
}

/// A refused line is never lost: it goes to the error file, or where people look.
fn refuse(
    line: &InputLine,
    code: &str,
    reason: &str,
    report: &mut Report,
    errors: &mut Option<File>,
) -> anyhow::Result<()> {
    report.refused += 1;
    let entry = serde_json::json!({ "line": line.number, "code": code, "reason": reason, "input": line.raw });
    match errors {
        Some(file) => writeln!(file, "{entry}")?,
        None => output::warn(format!("line {}: {code}: {reason}", line.number)),
    }
    Ok(())
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let Report { read, created, changed, unchanged, refused, odd } = report;
    if json {
        return output::json(&serde_json::json!({
            "read": read, "created": created, "changed": changed, "unchanged": unchanged, "refused": refused, "odd": odd,
        }));
    }
    output::line(format!(
        "{read} lines: {created} created, {changed} changed, {unchanged} unchanged, {refused} refused, {odd} odd"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_that_no_request_can_hold_is_refused_by_itself() {
        let line = |description: String| InputLine {
            number: 1,
            product: Ok(serde_json::json!({ "description": description })),
            odd: Vec::new(),
            raw: "raw".to_owned(),
        };
        let mut small = line("x".repeat(1_000));
        assert_eq!((refuse_too_large(&mut small), small.product.is_ok()), (1_018, true));
        // A control character takes six bytes in JSON.
        let mut large = line("\u{1}".repeat(PRODUCT_BYTES_MAX / 4));
        assert_eq!((refuse_too_large(&mut large), large.product.is_err()), (3, true));
    }
}
