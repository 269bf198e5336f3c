# Run in this folder: Rscript case.R   (reads input*.csv, writes expected.json)
suppressPackageStartupMessages(library(jsonlite))
read <- function(file) read.csv(file, na.strings = "NA", colClasses = NA, check.names = FALSE)
settings <- function() { s <- read.csv("input_settings.csv"); setNames(as.list(s$value), s$name) }
versions <- function(...) c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
                            sapply(c(...), function(p) as.character(packageVersion(p)), simplify = FALSE))
save_expected <- function(x) write_json(x, "expected.json", digits = I(15), auto_unbox = TRUE,
                                        pretty = TRUE, na = "null", null = "null")
suppressPackageStartupMessages(library(limma))
# Moderated t of rows of 4 v 5 units, one of which does not vary, and of given errors with unequal df.
s <- settings(); cp <- s$ci_prob
rows <- function(effect, se, df, prior_df, prior_variance) {
  q <- qt(1 - (1 - cp) / 2, df)
  list(ace = unname(effect), se = unname(se), df = unname(df), p = unname(2 * pt(-abs(effect / se), df)),
       lower = unname(effect - q * se), upper = unname(effect + q * se), prior_df = prior_df, prior_variance = prior_variance)
}
Y <- as.matrix(read("input.csv")); f <- suppressWarnings(eBayes(lmFit(Y, cbind(1, rep(0:1, c(4, 5))))))
parallel <- rows(f$coefficients[, 2], sqrt(f$s2.post) * f$stdev.unscaled[, 2], f$df.total, f$df.prior, f$s2.prior)
stopifnot(all.equal(parallel$p, unname(f$p.value[, 2])))
d <- read("input_table.csv"); sq <- suppressWarnings(squeezeVar(d$se^2, d$df))
given <- rows(d$effect, sqrt(sq$var.post), pmin(d$df + sq$df.prior, sum(d$df)), sq$df.prior, sq$var.prior)
save_expected(list(ci_prob = cp, parallel = parallel, given = given, versions = versions("limma")))
