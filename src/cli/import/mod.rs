//! `souk import products FILE`: sends products to the running server. If no server runs, the command opens
//! the data folder itself.
//!
//! No line is lost: a refused line goes unchanged to the error file, with its number and the reason. Products
//! that already have the new values do not change, so an import can be stopped and run again. The whole file
//! is read once before anything is written. A fault of the whole file (a wrong header, undeclared decimal
//! prices, a missing end) therefore changes nothing.

mod bounded;
mod csv;
mod decimal;
mod earlier_values;
mod encoding;
mod header_row;
mod icecat;
mod json;
mod line;
mod quotes;
mod refused;
mod report;
mod sink;
mod source;
mod template;
mod undeclared_price;

use std::collections::HashMap;
use std::io::Seek as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use souk_command_api::import::{LineOutcome, LineResult};
use souk_configuration::Configuration;
use souk_domain::Sku;
use souk_domain::text::quoted;

use super::output;
use earlier_values::EarlierValues;
use line::{InputLine, Lines};
use refused::Refused;
use report::Report;
use sink::Sink;
use source::{Kind, SourceArgs};
use undeclared_price::UndeclaredPrices;

/// Maximum number of lines in one batch.
const BATCH_LINES_MAX: usize = 200;
/// Maximum number of bytes in one batch.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Maximum size of one product in bytes, so that it fits into one request with its line break.
const PRODUCT_BYTES_MAX: usize = 1024 * 1024 - 1;

#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Imports products from a file: creates new products and changes existing ones.
    ///
    /// A product is found by its SKU. If a column or field is missing, its value stays as it is: a file with
    /// only `sku` and `price` changes only prices. A row for one SKU changes only that variant. An empty cell
    /// clears a description, a category or an attribute. An empty name, price, currency or `active` keeps the
    /// old value. A new product needs `sku`, `name` and `price`.
    ///
    /// Columns of a CSV file, in any order, in upper or lower case: sku, name, description, category, price,
    /// currency, active, and attr.NAME for each attribute. Prices are whole minor units (for example pence),
    /// or decimal numbers with --decimal. `active` is true or false, yes or no, 1 or 0.
    Products(Box<ProductsArgs>),
    /// Prints an example file with every column and one product that is not on sale.
    Template(TemplateArgs),
}

#[derive(Debug, Args)]
pub struct ProductsArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Error file for refused lines. Each line is unchanged, after a remark with its number and the reason.
    /// Correct the lines there and import the error file.
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// Checks the file and shows what would change, but writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// URL of a running server, instead of the server that uses the data folder. `SOUK_TOKEN` must hold an
    /// administrator's token.
    #[arg(long, value_parser = url)]
    url: Option<String>,
}

#[derive(Debug, Args)]
pub struct TemplateArgs {
    /// Format of the example file. The default is CSV.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON products in the shape of `POST /api/products`, one on each line or in an array.
    #[value(aliases = ["json", "ndjson"])]
    Jsonl,
    /// Columns with a comma, a semicolon, a tab or a vertical bar between them.
    Csv,
    /// Columns with tabs between them.
    Tsv,
    /// Icecat's open catalogue, one JSON object on each line.
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

/// Runs one of the `souk import` commands.
pub async fn run(
    configuration: &Configuration,
    command: ImportCommand,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let args = match command {
        ImportCommand::Products(args) => args,
        ImportCommand::Template(args) => {
            output::fixed_text(&template::text(args.format, configuration.currency));
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
    // The error file is created only now, so that an unreachable shop does not overwrite the error file of an
    // earlier import.
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
    let mut import = Import { sink, report, errors, earlier: EarlierValues::default() };
    let result = import.all(source.lines).await;
    let Import { sink, report, errors, .. } = import;
    report.close_bar();
    let closed = sink.close().await;
    errors.map(Refused::finish).transpose()?;
    result.context("the import stopped; import the file again to continue")?;
    closed?;
    if report.read == 0 {
        output::warn(format!("{name} has no products: there is nothing to import"));
    }
    report.print()?;
    Ok(if report.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Reads the URL of a server from an argument.
fn url(text: &str) -> Result<String, String> {
    let is_http = text.starts_with("http://") || text.starts_with("https://");
    if is_http { Ok(text.to_owned()) } else { Err("must be http:// or https:// and a host".to_owned()) }
}

/// Reads the whole file before anything is imported. Refuses the file if some prices look like decimal
/// numbers, because then the whole numbers are probably not minor units either.
fn check(lines: Lines) -> anyhow::Result<()> {
    let mut prices = UndeclaredPrices::default();
    for line in lines {
        prices.record(&line?);
    }
    prices.refusal().map_or(Ok(()), |why| Err(anyhow::Error::msg(why)))
}

/// State of a running import.
struct Import {
    sink: Sink,
    report: Report,
    errors: Option<Refused>,
    /// Values of products with several variants, from earlier lines.
    earlier: EarlierValues,
}

impl Import {
    async fn all(&mut self, lines: Lines) -> anyhow::Result<()> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut seen = HashMap::new();
        for line in lines {
            let mut line = line?;
            refuse_repeated_sku(&mut line, &mut seen);
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
            self.earlier.refuse_other_value(line);
        }
        let results = self.results(&batch).await?;
        let mut results = results.into_iter();
        for mut line in batch {
            if line.product.is_ok() {
                let Some(result) = results.next() else {
                    bail!("the shop returned fewer results than it received lines")
                };
                self.earlier.record(&mut line, &result);
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

    /// Sends the readable lines of a batch. Returns their results in order.
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

    /// Writes a refused line to the error file, and prints the reason.
    fn refuse(&mut self, line: &InputLine, code: &str, reason: &str) -> anyhow::Result<()> {
        if let Some(errors) = &mut self.errors {
            errors.add(line, code, reason)?;
        }
        self.report.add_refusal(line.number, code, reason, self.errors.is_some());
        Ok(())
    }
}

/// Refuses a product that is larger than a request. Returns the number of bytes that the line takes in a
/// batch.
fn refuse_too_large(line: &mut InputLine) -> usize {
    let raw = line.raw.as_ref().map_or(0, Vec::len);
    let size = line.product.as_ref().map_or(0, |product| product.json.len());
    if size > PRODUCT_BYTES_MAX {
        line.product =
            Err(format!("a product may have at most {PRODUCT_BYTES_MAX} bytes, this one has {size}"));
        return raw;
    }
    size.max(raw)
}

/// Refuses a line with a SKU of an earlier line. A SKU may occur only once in a file, because it is unknown
/// which of two lines is right.
fn refuse_repeated_sku(line: &mut InputLine, seen: &mut HashMap<String, u64>) {
    let Ok(product) = &line.product else { return };
    if let Some((sku, before)) = product.skus.iter().find_map(|sku| Some((sku, seen.get(sku)?))) {
        line.product = Err(format!("SKU {} already occurs in line {before}", quoted(sku)));
        return;
    }
    // Invalid SKUs are refused by the shop, so they are not remembered.
    let skus = product.skus.iter().filter(|sku| Sku::parse(sku).is_ok());
    seen.extend(skus.map(|sku| (sku.clone(), line.number)));
}

#[cfg(test)]
mod tests {
    use super::line::Product;
    use super::*;

    #[test]
    fn only_a_product_that_is_larger_than_a_request_is_refused() {
        let line = |description: String| InputLine {
            number: 1,
            product: Ok(Product::of_value(&serde_json::json!({ "description": description }))),
            warnings: Vec::new(),
            raw: Some(b"raw".to_vec()),
            undeclared_price: None,
        };
        let mut small = line("x".repeat(1_000));
        assert_eq!((refuse_too_large(&mut small), small.product.is_ok()), (1_018, true));
        // A control character takes six bytes in JSON.
        let mut large = line("\u{1}".repeat(PRODUCT_BYTES_MAX / 4));
        assert_eq!((refuse_too_large(&mut large), large.product.is_err()), (3, true));
    }
}
