# Run in this folder: Rscript case.R   (reads input_*.csv, writes expected.json)
# Linear hypotheses K theta = r by multcomp::glht (estimate, se, t and p unadjusted), from the units.
suppressPackageStartupMessages({library(jsonlite); library(multcomp); library(sandwich); library(emmeans)})
read <- function(file) read.csv(file, check.names = FALSE)
versions <- function(...) c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
                            sapply(c(...), function(p) as.character(packageVersion(p)), simplify = FALSE))
save_expected <- function(x) write_json(x, "expected.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE, na = "null")
cp <- 0.95
rows <- function(estimate, se, df) { t <- estimate / se; q <- qt(1 - (1 - cp) / 2, df)
  list(estimate = as.numeric(estimate), se = as.numeric(se), df = rep(df, length(se)), p = as.numeric(2 * pt(-abs(t), df)),
       lower = as.numeric(estimate - q * se), upper = as.numeric(estimate + q * se)) }
by_glht <- function(coef, V, df, text) {
  g <- glht(parm(coef, V, df = df), linfct = text); s <- summary(g, test = adjusted("none"))$test
  c(list(hypothesis = text, right = as.numeric(g$rhs)), rows(s$coefficients - g$rhs, s$sigma, df), list(p_glht = as.numeric(s$pvalues)),
    list(covariance = unname(as.matrix(vcov(g))))) }

# 1. crossover: arms minus none in each unit; the mean vector and its covariance, t with n - 1 df
d <- read("input_crossover.csv"); n <- nrow(d)
ice <- as.matrix(d[, c("A", "B", "AB")]) - d[, "none"]
text <- c("A - B == 0", "AB - A - B == 0", "2 * A - B == 0.5", "AB == 0.25")
crossover <- by_glht(colMeans(ice), cov(ice) / n, n - 1, text)
# all pairs of arms are paired t tests
arms <- c("none", "A", "B", "AB"); pairs <- combn(4, 2)
paired <- apply(pairs, 2, function(k) { tt <- t.test(d[[arms[k[2]]]], d[[arms[k[1]]]], paired = TRUE, conf.level = cp)
  c(tt$estimate, tt$stderr, tt$parameter, tt$p.value, tt$conf.int) })
pairwise <- list(name = apply(pairs, 2, function(k) paste(arms[k[2]], "-", arms[k[1]])), estimate = paired[1, ], se = paired[2, ], df = paired[3, ],
                 p = paired[4, ], lower = paired[5, ], upper = paired[6, ])

# 2. parallel: Satterthwaite df of contrasts of several arms with unequal variances (nlme::gls by arm, emmeans)
p <- read("input_parallel.csv"); p$arm <- factor(p$arm, arms)
m <- tapply(p$y, p$arm, mean); v <- tapply(p$y, p$arm, var); k <- tapply(p$y, p$arm, length)
K <- rbind("AB - A - B + none" = c(1, -1, -1, 1), "(A + B)/2 - none" = c(-1, .5, .5, 0), "AB - A" = c(0, -1, 0, 1))
se2 <- as.numeric(K^2 %*% (v / k)); df <- se2^2 / as.numeric(K^4 %*% (v^2 / k^2 / (k - 1)))
parallel <- c(list(name = rownames(K)), rows(as.numeric(K %*% m), sqrt(se2), df)); parallel$df <- df
welch <- t.test(p$y[p$arm == "AB"], p$y[p$arm == "A"]); stopifnot(abs(welch$parameter - df[3]) < 1e-9, abs(welch$stderr - sqrt(se2[3])) < 1e-12)

# 3. clustered: the covariance of four means by sandwich::vcovCL is CR1 (G/(G-1)); glht takes it as given
cl <- read("input_clustered.csv"); y <- as.matrix(cl[, c("c1", "c2", "c3", "c4")]); G <- length(unique(cl$parent))
V <- vcovCL(lm(y ~ 1), cluster = cl$parent, type = "HC0", cadjust = TRUE)
clustered <- by_glht(setNames(colMeans(y), colnames(y)), matrix(V, 4, dimnames = list(colnames(y), colnames(y))), G - 1,
                     c("c1 - c2 == 0", "c1 + c2 - c3 - c4 == 0", "0.5 * c3 - c4 == 0.1"))
clustered$vcov <- unname(matrix(V, 4)); clustered$coef <- unname(colMeans(y))

# 4. pairwise of emmeans on a model with a pooled error: lm, all arms
fit <- lm(y ~ arm, p); e <- emmeans(fit, "arm"); s <- summary(pairs(e, reverse = TRUE), adjust = "none", infer = TRUE, level = cp)
pooled <- list(means = as.numeric(summary(e)$emmean), vcov = unname(as.matrix(vcov(e))), name = as.character(s$contrast), estimate = s$estimate, se = s$SE,
               df = s$df, p = s$p.value, lower = s$lower.CL, upper = s$upper.CL)
save_expected(list(ci_prob = cp, crossover = crossover, pairwise = pairwise, parallel = parallel, clustered = clustered, emmeans = pooled,
                   versions = versions("multcomp", "sandwich", "emmeans")))
