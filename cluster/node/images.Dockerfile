# The images of the control plane, for a machine that reaches no image registry: one program each, built from its Go module.
# cluster/modelyard_cluster/node_image.py builds them, in a context that holds the programs.
ARG BASE_IMAGE

FROM scratch AS kubernetes
ARG PROGRAM
ENV PATH=/usr/local/bin
COPY ${PROGRAM} /usr/local/bin/${PROGRAM}

FROM scratch AS coredns
COPY coredns /coredns
ENTRYPOINT ["/coredns"]

FROM scratch AS pause
COPY pause /pause
USER 65535:65535
ENTRYPOINT ["/pause"]

FROM ${BASE_IMAGE} AS packages
RUN apt-get update --quiet && apt-get install --quiet --yes --no-install-recommends busybox-static netbase nftables

# kube-proxy calls `nft`: that, its libraries, the loader, and the names of protocols. Without them `nft` lists 6 where
# kube-proxy wrote tcp, and kube-proxy, which lists everything once an hour, takes every Service's entry for a stale one.
FROM packages AS nft
RUN mkdir -p /nft/usr/sbin /nft/etc && cp /usr/sbin/nft /nft/usr/sbin && cp /etc/protocols /nft/etc \
    && ldd /usr/sbin/nft | grep --only-matching '/[^ ]*' | xargs cp --parents --dereference --target-directory /nft

FROM scratch AS kube-proxy
ENV PATH=/usr/local/bin:/usr/sbin
COPY --from=nft /nft /
COPY kube-proxy /usr/local/bin/kube-proxy

# A shell with the usual commands, for the parts of kind that are scripts.
FROM scratch AS shell
ENV PATH=/bin
COPY --from=packages /bin/busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]

FROM scratch AS local-path-provisioner
COPY local-path-provisioner /bin/local-path-provisioner
ENV PATH=/bin
