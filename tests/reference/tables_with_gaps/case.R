# Run in this folder: Rscript case.R   (reads input_*.csv, writes expected.json)
# Tables of units by arms with missing cells: lmer(y ~ arm + (1 | unit)), REML, contrasts of arms with "wt", Satterthwaite df by lmerTest.
suppressPackageStartupMessages({library(jsonlite); library(lme4); library(lmerTest)})
read <- function(file) read.csv(file, colClasses = "character")
versions <- function(...) c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
                            sapply(c(...), function(p) as.character(packageVersion(p)), simplify = FALSE))
save_expected <- function(x) write_json(x, "expected.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE, na = "null")
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e6), check.conv.singular = .makeCC("ignore", tol = 1e-8))
# bobyqa, then Newton steps on the REML criterion (Richardson derivatives): the optimum to about 1e-9, not 1e-6; a theta at its bound is 0
reml <- function(formula, data) {
  fit <- lmer(formula, data = data, REML = TRUE, control = ctl)
  dev <- lme4::lmer(formula, data = data, REML = TRUE, devFunOnly = TRUE); theta <- getME(fit, "theta")
  theta[theta < 1e-4] <- 0; free <- which(theta > 0)
  if (length(free)) {
    of <- function(x) { at <- theta; at[free] <- x; dev(at) }
    for (i in 1:4) theta[free] <- theta[free] - solve(numDeriv::hessian(of, theta[free]), numDeriv::grad(of, theta[free]))
    stopifnot(max(abs(numDeriv::grad(of, theta[free]))) < 1e-6, max(abs(theta - getME(fit, "theta"))) < 1e-3)
  }
  lmer(formula, data = data, REML = TRUE, start = list(theta = unname(theta)),
       control = lmerControl(optimizer = NULL, check.conv.singular = .makeCC("ignore", tol = 1e-8)))
}
analyse <- function(d, formula = y ~ arm + (1 | unit)) {
  d$y <- as.numeric(d$y); d$arm <- relevel(factor(d$arm), "wt")
  fit <- reml(formula, d); arms <- levels(d$arm)[-1]; names <- paste0("arm", arms)
  one <- coef(summary(fit, ddf = "Satterthwaite"))[names, , drop = FALSE]; vc <- as.data.frame(VarCorr(fit))
  L <- c(0, rep(1 / length(arms), length(arms))); mean_arm <- contest1D(fit, L, ddf = "Satterthwaite")
  list(n_cells = nrow(d), n_units = length(unique(d$unit)), n_arms = length(arms) + 1, contrast = I(arms), estimate = I(unname(one[, "Estimate"])),
       se = I(unname(one[, "Std. Error"])), df = I(unname(one[, "df"])), p = I(unname(one[, "Pr(>|t|)"])),
       covariance = unname(as.matrix(vcov(fit))[names, names, drop = FALSE]), singular = isSingular(fit),
       variance = setNames(as.list(vc$vcov), vc$grp),
       mean_of_arms = list(estimate = mean_arm$Estimate, se = mean_arm$`Std. Error`, df = mean_arm$df, p = mean_arm$`Pr(>|t|)`))
}
tables <- c("few_gaps", "heavy_gaps", "unbalanced", "singular", "disconnected")
found <- setNames(lapply(tables, function(name) analyse(read(sprintf("input_%s.csv", name)))), tables)
two <- read("input_two_tasks.csv"); tasks <- unique(two$task)
found$two_tasks <- setNames(lapply(tasks, function(name) analyse(two[two$task == name, ])), tasks)
found$parents <- analyse(read("input_parents.csv"), y ~ arm + (1 | parent) + (1 | parent:arm) + (1 | unit))
save_expected(c(found, list(versions = versions("lme4", "lmerTest", "numDeriv", "jsonlite"))))
