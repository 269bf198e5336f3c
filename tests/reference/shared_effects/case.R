# Run in this folder: Rscript case.R   (reads input*.csv, writes expected.json)
suppressPackageStartupMessages({ library(jsonlite); library(mixsqp); library(mvtnorm) })
# Urbut, Wang, Carbonetto & Stephens (2019), Flexible statistical methods for estimating and testing effects in genomic
# studies with multiple conditions, Nature Genetics 51:187-195, doi:10.1038/s41588-018-0268-8: mash with given patterns.
# x_j ~ N(delta_j, V), V in input_error.csv; delta_j ~ sum_k w_k N(0, U_k), U_k in input_components.csv (row by row; the
# first is the point mass at zero). Weights maximise sum_j log sum_k w_k N(x_j; 0, V + U_k) + 9 log w_1 (null-biased).
x <- as.matrix(read.csv("input.csv")); V <- as.matrix(read.csv("input_error.csv"))
parts <- read.csv("input_components.csv"); size <- ncol(x); n <- nrow(x)
U <- lapply(seq_len(nrow(parts)), function(k) matrix(as.numeric(parts[k, -(1:2)]), size, byrow = TRUE)); K <- length(U)
L <- sapply(U, function(u) dmvnorm(x, sigma = V + u))
A <- rbind(c(1, rep(0, K - 1)), L); weight <- c(9, rep(1, n))
fit <- mixsqp(A, weight, control = list(convtol.sqp = 1e-12, convtol.activeset = 1e-14, zero.threshold.solution = 0,
                                        maxiter.sqp = 5000, eps = 0, verbose = FALSE))
w <- fit$x / sum(fit$x)
post <- L * rep(w, each = n); post <- post / rowSums(post)
mean_ <- second <- negative <- matrix(0, n, size); zero <- matrix(0, n, size)
for (k in seq_len(K)) {
  G <- U[[k]] %*% solve(U[[k]] + V); mu <- x %*% t(G); S <- U[[k]] - G %*% U[[k]]
  v <- pmax(diag(S), 0); atom <- diag(U[[k]]) == 0
  mean_ <- mean_ + post[, k] * mu
  second <- second + post[, k] * (mu^2 + rep(v, each = n))
  for (t in seq_len(size)) {
    if (atom[t]) zero[, t] <- zero[, t] + post[, k]
    else negative[, t] <- negative[, t] + post[, k] * pnorm(0, mu[, t], sqrt(v[t]))
  }
}
positive <- 1 - zero - negative
versions <- c(list(R = paste(R.version$major, R.version$minor, sep = ".")),
              sapply(c("mixsqp", "mvtnorm"), function(p) as.character(packageVersion(p)), simplify = FALSE))
write_json(list(weights = w, loglik = sum(log(L %*% w)), penalised_loglik = sum(log(L %*% w)) + 9 * log(w[1]),
                posterior_mean = mean_, posterior_sd = sqrt(pmax(second - mean_^2, 0)), lfdr = zero,
                lfsr = zero + pmin(negative, positive), versions = versions),
           "expected.json", digits = I(15), auto_unbox = TRUE, pretty = TRUE)
