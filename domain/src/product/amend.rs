//! Changes to some fields of a product, as an import makes them.
//!
//! An absent field differs from an empty one: fields and variants that the changes do not name stay as they
//! are. The result is a whole content, which is checked like any other content.

use std::collections::{BTreeMap, HashSet};

use crate::Sku;
use crate::field_error::FieldError;
use crate::folding::category_path;
use crate::limits::{ATTRIBUTES_MAX, OPTIONS_MAX, PRICE_MINOR_MAX, VARIANTS_MAX};
use crate::money::{Currency, Money, minor_units};
use crate::text::rules::{CATEGORY, OPTION_VALUE, PART_NAME, PRODUCT_NAME};

use super::attribute_value;
use super::check::escaped;
use super::event::{Attribute, AttributeKind, Content, Variant};

/// Changes to a product.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amendment {
    /// New name to store.
    pub name: Option<String>,
    /// New description; empty to clear it.
    pub description: Option<String>,
    /// New category; empty to clear it.
    pub category: Option<String>,
    /// New attribute values by name; `None` removes an attribute.
    pub attributes: BTreeMap<String, Option<(AttributeKind, String)>>,
    /// True to put the product on sale, false to take it off sale.
    pub active: Option<bool>,
    /// Changes to variants, and new variants.
    pub variants: Vec<VariantAmendment>,
}

/// Changes to a variant, or a new variant.
#[derive(Clone, Debug, PartialEq)]
pub struct VariantAmendment {
    /// SKU of the variant.
    pub sku: Sku,
    /// New option values by name; `None` removes an option.
    pub options: BTreeMap<String, Option<String>>,
    /// New price. A new variant needs one.
    pub price: Option<Price>,
    /// URLs of all images of the variant.
    pub images: Option<Vec<String>>,
}

/// A price as people write it.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// Amount of the price.
    pub amount: Amount,
    /// Currency of the price. If absent, it is the currency of the variant, or else of the product, or else
    /// of the shop.
    pub currency: Option<Currency>,
}

/// An amount of money whose currency may not be known yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// Amount in minor units.
    Minor(i64),
    /// A decimal number, such as `12.50`.
    Decimal(String),
}

impl Amendment {
    /// Returns the content of a new product, or all errors.
    pub fn to_content(&self, shop: Currency) -> Result<Content, Vec<FieldError>> {
        if self.name.is_none() {
            return Err(vec![FieldError::new("/name", "missing-field", "a new product needs a name")]);
        }
        let empty = Content {
            name: String::new(),
            description: String::new(),
            category: String::new(),
            attributes: Vec::new(),
            active: true,
            variants: Vec::new(),
        };
        self.apply_to(&empty, shop)
    }

    /// Returns the content of a product after the changes, or all errors.
    pub fn apply_to(&self, before: &Content, shop: Currency) -> Result<Content, Vec<FieldError>> {
        self.check_counts()?;
        let mut content = before.clone();
        let mut errors = Vec::new();
        let texts = [
            (&mut content.name, &self.name),
            (&mut content.description, &self.description),
            (&mut content.category, &self.category),
        ];
        for (text, new) in texts {
            if let Some(new) = new {
                text.clone_from(new);
            }
        }
        content.active = self.active.unwrap_or(content.active);
        errors.extend(set_attributes(&mut content.attributes, &self.attributes));
        let mut named = HashSet::new();
        for (index, amendment) in self.variants.iter().enumerate() {
            if !named.insert(&amendment.sku) {
                let detail = format!("SKU {} occurs twice", amendment.sku);
                errors.push(FieldError::new(format!("/variants/{index}/sku"), "duplicate-sku", detail));
            }
            errors.extend(set_variant(&mut content.variants, amendment, index, shop));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let skus: Vec<Sku> = content.variants.iter().map(|variant| variant.sku.clone()).collect();
        content.checked().map_err(|errors| self.with_own_pointers(errors, &skus))
    }

    /// Returns the changed fields of the product itself, without its variants: the pointer of each field, and
    /// its value as it is stored.
    pub fn product_fields(&self) -> Vec<(String, String)> {
        let name = self.name.as_ref().map(|name| PRODUCT_NAME.trim(name).to_owned());
        let category = self.category.as_ref().map(|category| category_path(CATEGORY.trim(category)));
        let active = self.active.map(|active| active.to_string());
        let texts = [
            ("/name", name),
            ("/description", self.description.clone()),
            ("/category", category),
            ("/active", active),
        ];
        let texts = texts.into_iter().filter_map(|(pointer, text)| Some((pointer.to_owned(), text?)));
        let attributes = self.attributes.iter().map(|(name, value)| {
            // The prefix `=` distinguishes an attribute with the text "null" from a removed one.
            let value = value.as_ref().map_or_else(|| "null".to_owned(), |(_, value)| format!("={value}"));
            (format!("/attributes/{}", escaped(PART_NAME.trim(name))), value)
        });
        texts.chain(attributes).collect()
    }

    /// Checks the number of parts, before any part is looked up.
    fn check_counts(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut check = |pointer: String, count: usize, max: usize| {
            if count > max {
                let detail = format!("at most {max} are allowed, but there are {count}");
                errors.push(FieldError::new(pointer, "too-many", detail));
            }
        };
        check("/attributes".to_owned(), self.attributes.len(), ATTRIBUTES_MAX);
        check("/variants".to_owned(), self.variants.len(), VARIANTS_MAX);
        for (index, variant) in self.variants.iter().enumerate().take(VARIANTS_MAX) {
            check(format!("/variants/{index}/options"), variant.options.len(), OPTIONS_MAX);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Moves the pointers of errors from the whole content to the changes. An error in a variant that the
    /// changes do not name has no pointer there, so its detail names the SKU.
    fn with_own_pointers(&self, errors: Vec<FieldError>, skus: &[Sku]) -> Vec<FieldError> {
        let moved = errors.into_iter().map(|error| {
            let place = error.pointer.strip_prefix("/variants/").and_then(|rest| rest.split_once('/'));
            let Some((index, rest)) = place else { return error };
            let Some(sku) = index.parse().ok().and_then(|index: usize| skus.get(index)) else { return error };
            let detail = error.detail.clone();
            match self.variants.iter().position(|variant| variant.sku == *sku) {
                Some(own) => FieldError::new(format!("/variants/{own}/{rest}"), error.code, detail),
                None => FieldError::new("/variants", error.code, format!("SKU {sku}, {rest}: {detail}")),
            }
        });
        moved.collect()
    }
}

/// Sets and removes attributes. Names are compared without white space around them, as they are stored.
fn set_attributes(
    attributes: &mut Vec<Attribute>,
    new: &BTreeMap<String, Option<(AttributeKind, String)>>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut named = HashSet::new();
    for (name, value) in new {
        let name = PART_NAME.trim(name);
        if !named.insert(name) {
            let pointer = format!("/attributes/{}", escaped(name));
            errors.push(FieldError::new(
                pointer,
                "duplicate-name",
                "the name of an attribute may occur only once",
            ));
        }
        let at = attributes.iter().position(|attribute| PART_NAME.trim(&attribute.name) == name);
        match (at, value) {
            (Some(at), None) => drop(attributes.remove(at)),
            (None, None) => {}
            (at, Some((kind, value))) => {
                let (kind, value) = match (at, kind) {
                    (Some(at), AttributeKind::Text) => attribute_value::parse_as(&attributes[at], value),
                    _ => (*kind, value.clone()),
                };
                let new = Attribute { name: name.to_owned(), kind, value };
                match at {
                    Some(at) => attributes[at] = new,
                    None => attributes.push(new),
                }
            }
        }
    }
    attributes.sort_by(|a, b| a.name.cmp(&b.name));
    errors
}

/// Changes a variant, or adds it after the others.
fn set_variant(
    variants: &mut Vec<Variant>,
    new: &VariantAmendment,
    index: usize,
    shop: Currency,
) -> Vec<FieldError> {
    let at = variants.iter().position(|variant| variant.sku == new.sku);
    let known = at.map_or_else(|| variants.first(), |at| variants.get(at));
    let currency = known.map_or(shop, |variant| variant.price.currency);
    let price = match new.price.as_ref().map(|price| price.read(currency)).transpose() {
        Ok(price) => price,
        Err((code, detail)) => {
            let pointer = format!("/variants/{index}/price/decimal");
            return vec![FieldError::new(pointer, code, detail)];
        }
    };
    let mut variant = match (at, price) {
        (Some(at), _) => variants[at].clone(),
        (None, Some(price)) => {
            Variant { sku: new.sku.clone(), options: BTreeMap::new(), price, images: Vec::new() }
        }
        (None, None) => {
            let detail = format!("SKU {} is new and needs a price", new.sku);
            return vec![FieldError::new(format!("/variants/{index}/price"), "missing-field", detail)];
        }
    };
    variant.price = price.unwrap_or(variant.price);
    if let Some(images) = &new.images {
        variant.images.clone_from(images);
    }
    let errors = set_options(&mut variant.options, &new.options, index);
    match at {
        Some(at) => variants[at] = variant,
        None => variants.push(variant),
    }
    errors
}

fn set_options(
    options: &mut BTreeMap<String, String>,
    new: &BTreeMap<String, Option<String>>,
    index: usize,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut named = HashSet::new();
    for (name, value) in new {
        let name = PART_NAME.trim(name);
        if !named.insert(name) {
            let pointer = format!("/variants/{index}/options/{}", escaped(name));
            errors.push(FieldError::new(
                pointer,
                "duplicate-name",
                "the name of an option may occur only once",
            ));
        }
        options.retain(|known, _| PART_NAME.trim(known) != name);
        if let Some(value) = value {
            options.insert(name.to_owned(), OPTION_VALUE.trim(value).to_owned());
        }
    }
    errors
}

impl Price {
    /// Returns the price, in its own currency or else in `currency`. The range of a decimal number is checked
    /// here, so that the error shows the allowed range as decimal numbers too.
    fn read(&self, currency: Currency) -> Result<Money, (&'static str, String)> {
        let currency = self.currency.unwrap_or(currency);
        let amount = match &self.amount {
            Amount::Minor(amount) => *amount,
            Amount::Decimal(text) => {
                minor_units(text, currency).map_err(|error| ("invalid-value", error.to_string()))?
            }
        };
        let is_decimal = matches!(self.amount, Amount::Decimal(_));
        if is_decimal && !(0..=PRICE_MINOR_MAX).contains(&amount) {
            let highest = Money::new(PRICE_MINOR_MAX, currency);
            return Err(("out-of-range", format!("a price is {} to {highest}", Money::zero(currency))));
        }
        Ok(Money::new(amount, currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sku(text: &str) -> Sku {
        Sku::parse(text).unwrap()
    }

    fn variant(text: &str, pence: i64) -> Variant {
        let options = BTreeMap::from([("size".to_owned(), text.to_owned())]);
        let images = vec![format!("https://example.org/{text}.png")];
        Variant { sku: sku(text), options, price: Money::new(pence, Currency::GBP), images }
    }

    fn lamp() -> Content {
        let colour = Attribute { name: "colour".into(), kind: AttributeKind::Text, value: "white".into() };
        let watts = Attribute { name: "watts".into(), kind: AttributeKind::Number, value: "40".into() };
        Content {
            name: "Lamp".into(),
            description: "Of glass.".into(),
            category: "home/lighting".into(),
            attributes: vec![colour, watts],
            active: false,
            variants: vec![variant("L1", 100), variant("L2", 200)],
        }
    }

    fn of_variant(text: &str, price: impl Into<Option<Price>>) -> VariantAmendment {
        VariantAmendment { sku: sku(text), options: BTreeMap::new(), price: price.into(), images: None }
    }

    fn pence(amount: i64) -> Price {
        Price { amount: Amount::Minor(amount), currency: None }
    }

    fn decimal(text: &str, currency: Option<Currency>) -> Price {
        Price { amount: Amount::Decimal(text.into()), currency }
    }

    fn applied(amendment: &Amendment) -> Content {
        amendment.apply_to(&lamp(), Currency::GBP).unwrap()
    }

    fn wrong(amendment: &Amendment) -> Vec<(String, &'static str)> {
        let errors = amendment.apply_to(&lamp(), Currency::GBP).unwrap_err();
        errors.into_iter().map(|error| (error.pointer, error.code)).collect()
    }

    #[test]
    fn changing_a_price_changes_nothing_else() {
        let amendment = Amendment { variants: vec![of_variant("L1", pence(110))], ..Amendment::default() };
        let mut expected = lamp();
        expected.variants[0].price.amount = 110;
        assert_eq!(applied(&amendment), expected);
        assert_eq!(applied(&Amendment::default()), lamp());
    }

    #[test]
    fn a_price_without_a_currency_keeps_the_currency_of_the_variant() {
        let mut yen = lamp();
        yen.variants.iter_mut().for_each(|variant| variant.price.currency = Currency::JPY);
        let priced = |price| {
            let variants = vec![of_variant("L1", price), of_variant("L3", pence(7))];
            Amendment { variants, ..Amendment::default() }.apply_to(&yen, Currency::GBP)
        };
        let content = priced(decimal("1200", None)).unwrap();
        assert_eq!(content.variants[0].price, Money::new(1_200, Currency::JPY));
        assert_eq!(content.variants[2].price, Money::new(7, Currency::JPY));
        let errors = priced(decimal("12.50", None)).unwrap_err();
        assert_eq!(
            (errors[0].pointer.as_str(), errors[0].code),
            ("/variants/0/price/decimal", "invalid-value")
        );
        let errors = priced(decimal("-3", None)).unwrap_err();
        assert_eq!(
            (errors[0].code, errors[0].detail.as_str()),
            ("out-of-range", "a price is 0 JPY to 1000000000000 JPY")
        );
        let errors = priced(decimal("12.50", Some(Currency::GBP))).unwrap_err();
        assert!(errors.iter().all(|error| error.code == "currency-mismatch"), "{errors:?}");
    }

    #[test]
    fn empty_texts_clear_fields_and_attributes_without_a_value_are_removed() {
        let value = |text: &str| Some((AttributeKind::Text, text.to_owned()));
        let amendment = Amendment {
            description: Some(String::new()),
            attributes: BTreeMap::from([
                ("watts".into(), None),
                ("none".into(), None),
                (" colour ".into(), value("red")),
                ("base".into(), value("oak")),
            ]),
            ..Amendment::default()
        };
        let content = applied(&amendment);
        assert_eq!((content.description.as_str(), content.category.as_str()), ("", "home/lighting"));
        let attributes: Vec<_> = content
            .attributes
            .iter()
            .map(|attribute| (attribute.name.as_str(), attribute.value.as_str()))
            .collect();
        assert_eq!(attributes, [("base", "oak"), ("colour", "red")]);
    }

    #[test]
    fn a_number_attribute_stays_a_number_if_the_text_is_one() {
        let watts = |value: &str| {
            let attributes =
                BTreeMap::from([("watts".into(), Some((AttributeKind::Text, value.to_owned())))]);
            applied(&Amendment { attributes, ..Amendment::default() }).attributes[1].clone()
        };
        assert_eq!(watts("40"), lamp().attributes[1]);
        assert_eq!(watts("40.0"), lamp().attributes[1]);
        assert_eq!(watts("60").kind, AttributeKind::Number);
        assert_eq!(watts("forty").kind, AttributeKind::Text);
    }

    #[test]
    fn options_and_images_change_only_for_the_named_variant() {
        let amendment = VariantAmendment {
            sku: sku("L2"),
            options: BTreeMap::from([("size".into(), None), ("base".into(), Some("oak".into()))]),
            price: None,
            images: Some(Vec::new()),
        };
        let content = applied(&Amendment { variants: vec![amendment], ..Amendment::default() });
        assert_eq!(content.variants[0], lamp().variants[0]);
        assert_eq!(content.variants[1].options, BTreeMap::from([("base".to_owned(), "oak".to_owned())]));
        assert_eq!((content.variants[1].price.amount, content.variants[1].images.len()), (200, 0));
    }

    #[test]
    fn a_new_product_needs_a_name_and_its_variants_need_prices() {
        let created = |name: Option<&str>, price: Option<Price>| {
            let variants = vec![of_variant("N1", price)];
            Amendment { name: name.map(Into::into), variants, ..Amendment::default() }
                .to_content(Currency::EUR)
                .map_err(|errors| errors[0].pointer.clone())
        };
        let content = created(Some("Rug"), Some(decimal("12.5", None))).unwrap();
        assert_eq!(content.variants[0].price, Money::new(1_250, Currency::EUR));
        assert!(content.active && content.description.is_empty());
        assert_eq!(created(None, Some(pence(1))), Err("/name".to_owned()));
        assert_eq!(created(Some("Rug"), None), Err("/variants/0/price".to_owned()));
    }

    #[test]
    fn the_pointers_of_errors_refer_to_the_changes() {
        let of = |variants| Amendment { variants, ..Amendment::default() };
        let price_of_l2 = of(vec![of_variant("L2", pence(-1))]);
        assert_eq!(wrong(&price_of_l2), [("/variants/0/price/amount".to_owned(), "out-of-range")]);
        let twice = of(vec![of_variant("L1", pence(1)), of_variant("L1", pence(2))]);
        assert_eq!(wrong(&twice), [("/variants/1/sku".to_owned(), "duplicate-sku")]);
        let euros = Price { amount: Amount::Minor(1), currency: Some(Currency::EUR) };
        // The first variant sets the currency. The other variant, which the changes do not name, has
        // another currency.
        let errors = of(vec![of_variant("L1", euros)]).apply_to(&lamp(), Currency::GBP).unwrap_err();
        assert_eq!((errors[0].pointer.as_str(), errors[0].code), ("/variants", "currency-mismatch"));
        assert!(errors[0].detail.starts_with("SKU L2, price/currency: "), "{errors:?}");
        let value = || Some((AttributeKind::Text, "x".to_owned()));
        let attributes = BTreeMap::from([("a".into(), value()), (" a".into(), value())]);
        let doubled = Amendment { attributes, ..Amendment::default() };
        assert_eq!(wrong(&doubled), [("/attributes/a".to_owned(), "duplicate-name")]);
        let attributes = (0..=ATTRIBUTES_MAX).map(|n| (n.to_string(), None)).collect();
        let many = Amendment { attributes, ..Amendment::default() };
        assert_eq!(wrong(&many), [("/attributes".to_owned(), "too-many")]);
    }
}
