//! Sales trial: sends months of invoices of a real shop to the HTTP API of a running shop, and compares the
//! totals that the shop reports afterwards with those of the invoices.
//!
//! The trial first creates products and stock. Then it sends each sale invoice as an order and adds the units
//! of each cancellation to the stock, up to [`trade::IN_FLIGHT_MAX`] requests at once. The totals must be
//! exactly equal. Every difference is printed, and the trial then fails.

pub(crate) mod abuse;
mod books;
mod compare;
pub(crate) mod crash;
mod figures;
mod invoices;
mod minor;
mod stocking;
mod totals;
mod trade;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

pub(crate) use figures::Figures;

use crate::shop::{Server, ShopClient, own_cpu_seconds, process_cpu_seconds, token_for_url};
use crate::workspace::{self, Profile};
use books::Books;
use invoices::Invoices;
use totals::Totals;

/// Largest number of differences that are printed.
const DIFFERENCES_SHOWN: usize = 20;

/// `cargo xtask trial sales`.
#[derive(Args)]
pub(crate) struct SalesOptions {
    /// Months of invoices, in order of time.
    #[arg(required = true, value_name = "FILE.csv.gz")]
    files: Vec<PathBuf>,
    /// URL of a running shop that nobody else uses; needs an admin token in `SOUK_TOKEN`.
    #[arg(long, conflicts_with_all = ["souk", "data"])]
    url: Option<String>,
    /// Program `souk` to test; default: a new build.
    #[arg(long)]
    souk: Option<PathBuf>,
    /// Builds `souk` without optimisation.
    #[arg(long)]
    dev: bool,
    /// Data folder, kept after the trial; default: a temporary folder.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Adds an e-mail address and a postal address to each order.
    #[arg(long)]
    people: bool,
    /// Prints the figures as one JSON line at the end.
    #[arg(long)]
    json: bool,
}

/// Runs the trial. Returns false if the totals differ.
pub(crate) fn run(options: &SalesOptions) -> Result<bool> {
    let figures = if let Some(url) = &options.url {
        let client = ShopClient::new(url, token_for_url()?)?;
        runtime()?.block_on(trade_and_compare(&client, &options.files, None, options.people))?
    } else {
        let profile = if options.dev { Profile::Dev } else { Profile::Release };
        let souk = options.souk.clone().map_or_else(|| workspace::build_souk(profile), Ok)?;
        let scratch = tempfile::tempdir()?;
        let data = options.data.clone().unwrap_or_else(|| scratch.path().join("shop"));
        with_own_shop(&souk, &data, &options.files, options.people)?
    };
    report(&figures);
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
    }
    Ok(figures.differences.is_empty())
}

/// Starts a shop with the data folder `data`, sends the invoices of `files` to it, compares the totals and
/// stops it. With `people`, each order has an e-mail address and a postal address.
pub(crate) fn with_own_shop(souk: &Path, data: &Path, files: &[PathBuf], people: bool) -> Result<Figures> {
    runtime()?.block_on(async {
        let (server, client) = Server::start(souk, data).await?;
        let figures = trade_and_compare(&client, files, Some(server.pid()), people).await?;
        server.stop()?;
        Ok(figures)
    })
}

/// Prints the figures and differences of a trial.
pub(crate) fn report(figures: &Figures) {
    eprintln!("{figures}");
    for difference in figures.differences.iter().take(DIFFERENCES_SHOWN) {
        eprintln!("DIFFERS  {difference}");
    }
    match figures.differences.len() {
        0 => eprintln!("the totals agree"),
        many => eprintln!("the totals differ in {many} places"),
    }
}

/// Runtime with one thread, because the client shares the CPU cores with the shop.
fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn trade_and_compare(
    client: &ShopClient,
    files: &[PathBuf],
    server: Option<u32>,
    people: bool,
) -> Result<Figures> {
    let months: Vec<Invoices> = files.iter().map(|file| invoices::read(file)).collect::<Result<_>>()?;
    let mut differences = compare_with_published(files, &months)?;
    let books = Books::of(&months);
    let run = trade::run_name();
    let cpu_before = (own_cpu_seconds()?, server_cpu(server)?);
    let before = compare::sales_so_far(client).await?;
    let started = Instant::now();

    stocking::import_products(client, &books.products).await.context("products")?;
    stocking::count_stock(client, &books, &run).await.context("stock")?;
    let stocked_after = started.elapsed();
    let traded = trade::trade(client, &months, trade::Run { name: &run, people }).await?;
    let traded_after = started.elapsed();
    differences.extend(traded.failures.iter().cloned());
    differences.extend(compare::compare(client, &books, &before, &traded).await.context("comparing")?);

    Ok(Figures {
        months: files.len(),
        orders: books.totals.orders,
        order_lines: books.totals.order_lines,
        units: books.totals.units,
        revenue_minor: books.totals.revenue_minor,
        products: books.products.len(),
        stocking_seconds: stocked_after.as_secs_f64(),
        trading_seconds: traded_after.saturating_sub(stocked_after).as_secs_f64(),
        seconds: started.elapsed().as_secs_f64(),
        client_cpu_seconds: own_cpu_seconds()? - cpu_before.0,
        server_cpu_seconds: server_cpu(server)?.zip(cpu_before.1).map(|(now, before)| now - before),
        retries: client.retries(),
        head: client.highest_position(),
        differences,
    })
}

fn server_cpu(pid: Option<u32>) -> Result<Option<f64>> {
    pid.map(process_cpu_seconds).transpose()
}

/// Compares the totals of each file with its row in `totals.csv`, if there is one.
fn compare_with_published(files: &[PathBuf], months: &[Invoices]) -> Result<Vec<String>> {
    ensure!(files.len() == months.len(), "each file has one month");
    let mut differences = Vec::new();
    for (file, month) in files.iter().zip(months) {
        let computed = Totals::of(month);
        let Some(published) = Totals::published_beside(file)? else {
            eprintln!(
                "{}: no totals.csv with this month; compared only with the lines of the file",
                file.display()
            );
            continue;
        };
        for ((name, of_file), (_, of_table)) in computed.figures().into_iter().zip(published.figures()) {
            if of_file != of_table {
                differences
                    .push(format!("{}: {name} are {of_file}, totals.csv has {of_table}", file.display()));
            }
        }
    }
    Ok(differences)
}
