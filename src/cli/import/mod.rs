//! `souk import products FILE`: through the running server, or by a shop of its own while none runs.
//!
//! Nothing is lost: a line that is refused stands in the error file as it came, with its number and the reason. What
//! is there already is left alone, so an import can be stopped and run again. The whole file is read once before
//! anything is written: a file that is wrong as a whole (its head, its decimal signs, its end) changes nothing.

mod bounded;
mod csv;
mod decimal;
mod encoding;
mod given;
mod head;
mod icecat;
mod json;
mod line;
mod quotes;
mod refused;
mod report;
mod sink;
mod source;
mod template;
mod undeclared;

use std::collections::HashMap;
use std::io::Seek as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use souk_command_api::import::{LineOutcome, LineResult};
use souk_domain::Sku;
use souk_domain::text::quoted;

use crate::configuration::Configuration;

use super::output;
use given::GivenByLines;
use line::{InputLine, Lines};
use refused::Refused;
use report::Report;
use sink::Sink;
use source::{Kind, SourceArgs};
use undeclared::UndeclaredPrices;

/// Lines sent at once.
const BATCH_LINES_MAX: usize = 200;
/// Bytes sent at once.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Bytes of one product as it is sent: what a request to the shop may have.
const PRODUCT_BYTES_MAX: usize = 1024 * 1024 - 1;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Imports products, comparing with what is there.
    ///
    /// A product is found by its SKU. A missing column or field leaves its value alone: a file with `sku` and `price`
    /// changes prices only. A row for one SKU changes that variant only. An empty cell clears a description, a category
    /// or an attribute; an empty name, price, currency or `active` is left alone. A new product needs `sku`, `name` and
    /// `price`.
    ///
    /// Columns of a CSV file, in any case and order: sku, name, description, category, price, currency, active, and
    /// attr.NAME for each attribute. Prices are minor units (pence), or decimal numbers with --decimal. `active` is
    /// true or false, yes or no, 1 or 0.
    Products(Box<ProductsArgs>),
    /// Prints a file to begin with: every column, and a product that is not on sale.
    Template(TemplateArgs),
}

#[derive(Debug, Args)]
pub struct ProductsArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// The file for refused lines, unchanged, each behind a remark with its number and the reason. It can be mended
    /// and imported.
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// Checks everything, writes nothing, and says what would change.
    #[arg(long)]
    dry_run: bool,
    /// A running server, instead of the one that holds the data folder; its token in `SOUK_TOKEN`.
    #[arg(long, value_parser = url)]
    url: Option<String>,
}

#[derive(Debug, Args)]
pub struct TemplateArgs {
    /// The format of the template; CSV unless given.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Products in the shape of `POST /api/products`, one a line or in an array.
    #[value(aliases = ["json", "ndjson"])]
    Jsonl,
    /// Columns, separated by a comma, a semicolon, a tab or a bar.
    Csv,
    /// Columns, separated by tabs.
    Tsv,
    /// Icecat's open catalogue, one JSON object a line.
    Icecat,
}

impl Format {
    fn kind(self) -> Kind {
        match self {
            Self::Jsonl => Kind::Json,
            Self::Csv => Kind::Csv,
            Self::Tsv => Kind::Tsv,
            Self::Icecat => Kind::Icecat,
        }
    }
}

/// Runs the command.
pub async fn run(
    configuration: &Configuration,
    command: ImportCommand,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let args = match command {
        ImportCommand::Products(args) => args,
        ImportCommand::Template(args) => {
            output::own_lines(&template::text(args.format, configuration.currency));
            return Ok(ExitCode::SUCCESS);
        }
    };
    let name = args.source.file.display();
    let mut file = args.source.open()?;
    args.source.check_encoding(file.try_clone()?).with_context(|| name.to_string())?;
    file.rewind()?;
    check(args.source.read(file.try_clone()?)?.lines).with_context(|| name.to_string())?;
    file.rewind()?;
    let bar = output::progress(file.metadata()?.len(), "bytes");
    let source = args.source.read(bar.wrap_read(file))?;
    let sink = Sink::open(configuration, args.url, args.dry_run).await?;
    // Not before: an error file of an earlier import stays while the shop can't be reached.
    let errors = args.errors.as_ref();
    let errors = errors.map(|path| Refused::create(path, &args.source.file, source.form)).transpose();
    let errors = match errors {
        Ok(errors) => errors,
        Err(error) => {
            sink.close().await?;
            return Err(error);
        }
    };
    let report = Report::new(args.dry_run, json, bar);
    let mut import = Import { sink, report, errors, given: GivenByLines::default() };
    let result = import.all(source.lines).await;
    let Import { sink, report, errors, .. } = import;
    report.close_bar();
    let closed = sink.close().await;
    errors.map(Refused::finish).transpose()?;
    result.context("the import stopped; import the file again to go on")?;
    closed?;
    if report.read == 0 {
        output::warn(format!("{name} has no rows: there is nothing to import"));
    }
    report.print()?;
    Ok(if report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Takes the address of a server.
fn url(text: &str) -> Result<String, String> {
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    if is_http { Ok(text.to_owned()) } else { Err("http:// or https:// and a host are allowed".to_owned()) }
}

/// Reads a whole file before any of it is imported. Some decimal prices among whole numbers would make all of them
/// wrong, so they refuse the file.
fn check(lines: Lines) -> anyhow::Result<()> {
    let mut prices = UndeclaredPrices::default();
    for line in lines {
        prices.note(&line?);
    }
    prices.refusal().map_or(Ok(()), |why| Err(anyhow::Error::msg(why)))
}

/// An import under way.
struct Import {
    sink: Sink,
    report: Report,
    errors: Option<Refused>,
    /// What the lines so far say of products with several variants.
    given: GivenByLines,
}

impl Import {
    async fn all(&mut self, lines: Lines) -> anyhow::Result<()> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut seen = HashMap::new();
        for line in lines {
            let mut line = line?;
            refuse_seen_before(&mut line, &mut seen);
            self.report.add_line(&line);
            let size = refuse_too_large(&mut line);
            if batch.len() == BATCH_LINES_MAX || bytes + size > BATCH_BYTES_MAX {
                self.send(std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += size;
            batch.push(line);
        }
        self.send(batch).await
    }

    async fn send(&mut self, mut batch: Vec<InputLine>) -> anyhow::Result<()> {
        for line in &mut batch {
            self.given.refuse_other_value(line);
        }
        let results = self.results(&batch).await?;
        let mut results = results.into_iter();
        for mut line in batch {
            if line.product.is_ok() {
                let Some(result) = results.next() else {
                    bail!("the shop answered fewer lines than it was sent")
                };
                self.given.note(&mut line, &result);
                if line.product.is_ok() {
                    self.take(&line, result)?;
                    continue;
                }
            }
            if let Err(reason) = &line.product {
                self.refuse(&line, "unusable-line", reason)?;
            }
        }
        Ok(())
    }

    /// The results of the lines that can be read, in order.
    async fn results(&mut self, batch: &[InputLine]) -> anyhow::Result<Vec<LineResult>> {
        let products = batch.iter().filter_map(|line| line.product.as_ref().ok());
        let products: Vec<String> = products.map(|product| product.json.clone()).collect();
        let is_dry = self.report.is_dry;
        if products.is_empty() { Ok(Vec::new()) } else { self.sink.send(&products, is_dry).await }
    }

    fn take(&mut self, line: &InputLine, result: LineResult) -> anyhow::Result<()> {
        if result.outcome == LineOutcome::Refused {
            let code = result.code.unwrap_or_default();
            return self.refuse(line, &code, &result.reason.unwrap_or_default());
        }
        self.report.add_result(line, &result)
    }

    /// A refused line is never lost: it goes to the error file, and the reason to where people look.
    fn refuse(&mut self, line: &InputLine, code: &str, reason: &str) -> anyhow::Result<()> {
        if let Some(errors) = &mut self.errors {
            errors.add(line, code, reason)?;
        }
        self.report.add_refusal(line.number, code, reason, self.errors.is_some());
        Ok(())
    }
}

/// Refuses a product that no request can hold. Returns the bytes that the line takes in a batch.
fn refuse_too_large(line: &mut InputLine) -> usize {
    let raw = line.raw.as_ref().map_or(0, Vec::len);
    let size = line.product.as_ref().map_or(0, |product| product.json.len());
    if size > PRODUCT_BYTES_MAX {
        line.product = Err(format!("a product has at most {PRODUCT_BYTES_MAX} bytes, this one has {size}"));
        return raw;
    }
    size.max(raw)
}

/// A SKU stands in a file once: of two lines, neither is right by being the later one.
fn refuse_seen_before(line: &mut InputLine, seen: &mut HashMap<String, u64>) {
    let Ok(product) = &line.product else { return };
    if let Some((sku, before)) = product.skus.iter().find_map(|sku| Some((sku, seen.get(sku)?))) {
        line.product = Err(format!("SKU {} stands in line {before} already", quoted(sku)));
        return;
    }
    // A text that is no SKU is refused by itself, and not remembered.
    let skus = product.skus.iter().filter(|sku| Sku::parse(sku).is_ok());
    seen.extend(skus.map(|sku| (sku.clone(), line.number)));
}

#[cfg(test)]
mod tests {
    use super::line::Product;
    use super::*;

    #[test]
    fn a_product_that_no_request_can_hold_is_refused_by_itself() {
        let line = |description: String| InputLine {
            number: 1,
            product: Ok(Product::of_value(&serde_json::json!({ "description": description }))),
            odd: Vec::new(),
            raw: Some(b"raw".to_vec()),
            undeclared: None,
        };
        let mut small = line("x".repeat(1_000));
        assert_eq!((refuse_too_large(&mut small), small.product.is_ok()), (1_018, true));
        // A control character takes six bytes in JSON.
        let mut large = line("\u{1}".repeat(PRODUCT_BYTES_MAX / 4));
        assert_eq!((refuse_too_large(&mut large), large.product.is_err()), (3, true));
    }
}
